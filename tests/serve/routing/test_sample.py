"""What is read out of an answer's bytes: circles, and the language."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing import language
from serve.routing.sample import Sample

IDENTIFY = language.load()
PROSE = (
    "Speculative decoding lets a small model guess the next tokens and a large one check all of them in a single pass. "
    "Where the guesses are right, several tokens come for the price of one; where they are wrong, nothing is lost but "
    "the time of guessing. How often that pays depends on the text: code has many tokens that follow from those "
    "before, a story has few, and a language that the small model never saw has hardly any. So it is worth measuring, "
    "on the very box and with the very requests that it will serve, before anybody believes a figure from elsewhere."
)
CODE = "".join(
    f"    result['{name}'] = convert(row['{name}'], kind={number})\n" for number, name in enumerate("abcdefghijklm")
)
LIST = json.dumps(
    [{"name": name, "country": "France", "population": 1000 * number} for number, name in enumerate(PROSE.split()[:14])]
)


def streamed(text: str, step: int = 5, key: str = "content") -> Sample:
    """A chat's stream, a few characters a chunk."""
    sample = Sample()
    for at in range(0, len(text), step):
        chunk = {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {key: text[at : at + step]}}]}
        sample.add(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")
    return sample


@pytest.mark.parametrize(
    "text", [PROSE, CODE * 2, LIST, "。".join(PROSE.split())], ids=["prose", "code", "json", "words"]
)
def test_takes_no_ordinary_text_for_a_circle(text: str) -> None:
    assert len(text) > 300
    assert not streamed(text, 12).repeats()


@pytest.mark.parametrize(
    "circle",
    ["ha", "I am sorry, but I can't do that. ", "我不知道。", "\n| --- | --- |", "0"],
    ids=["syllable", "sentence", "chinese", "table", "zero"],
)
def test_notices_an_answer_that_ends_in_circles(circle: str) -> None:
    assert streamed(PROSE + circle * (1200 // len(circle)), 20).repeats()
    assert streamed(circle * (1200 // len(circle)), 20, "reasoning_content").repeats()


def test_a_short_answer_says_nothing() -> None:
    assert not streamed("no no no no no no no").repeats()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROSE, "en"),
        ("Das spekulative Dekodieren lässt ein kleines Modell die nächsten Wörter raten.", "de"),
        ("推测解码让小模型先猜后面的词，再由大模型一次检查所有的猜测。这样通常更快一些。", "zh-Hans"),
        ("Ok.", "und"),
    ],
    ids=["english", "german", "chinese", "short"],
)
def test_names_the_language_that_an_answer_begins_in(text: str, expected: str) -> None:
    assert streamed(text).language(IDENTIFY) == expected


def test_what_was_thought_isnt_what_was_said() -> None:
    sample = streamed("The user asks in German, so I should answer in German. ", key="reasoning_content")
    for chunk in streamed("Gerne erkläre ich dir, wie das mit den beiden Modellen zusammenhängt.").tail:
        sample.add(chunk)
    assert sample.language(IDENTIFY) == "de"


def test_reads_a_whole_answer_too() -> None:
    sample = Sample()
    answer = {"choices": [{"message": {"role": "assistant", "content": "Nej. " + "Jeg ved det ikke, kære ven. " * 60}}]}
    sample.add(json.dumps(answer, separators=(",", ":")).encode())
    assert (sample.repeats(), sample.language(IDENTIFY)) == (True, "da")


def test_keeps_a_bounded_part() -> None:
    sample = Sample()
    for _ in range(1000):
        sample.add(b"x" * 65_536)
    assert len(sample.head) + sum(map(len, sample.tail)) < 1_100_000


@given(st.lists(st.binary(max_size=300), max_size=90))
def test_never_raises(chunks: list[bytes]) -> None:
    sample = Sample()
    for chunk in chunks:
        sample.add(chunk)
    sample.repeats()
    sample.language(IDENTIFY)


def test_an_escape_that_was_cut_is_no_obstacle() -> None:
    text = "我们可以一起看看这个问题，" * 600
    raw = json.dumps({"content": text}, separators=(",", ":")).encode()
    rng = random.Random(1)
    for _ in range(50):
        sample = Sample()
        sample.add(raw[: rng.randrange(3000, len(raw))])
        assert sample.repeats()


def responding(text: str) -> Sample:
    """A stream of responses: what was asked for comes first, and is longer than what is kept; then thoughts."""
    begun: dict[str, object] = {"response": {"id": "resp_7", "instructions": "Answer in English, please. " * 400}}
    events = [(f"response.{name}", begun) for name in ("created", "in_progress")]
    events += [
        ("response.reasoning_text.delta", {"delta": each}) for each in ("The user ", "wants an ", "answer. ") * 9
    ]
    events += [
        ("response.output_text.delta", {"content_index": 0, "delta": text[at : at + 5], "item_id": "m"})
        for at in range(0, len(text), 5)
    ]
    sample = Sample()
    for name, event in events:
        sample.add(f"event: {name}\ndata: {json.dumps({**event, 'type': name}, separators=(',', ':'))}\n\n".encode())
    return sample


def test_reads_what_a_response_said_and_not_what_was_asked_or_thought() -> None:
    sample = responding("Gerne erkläre ich dir, wie das mit den beiden Modellen zusammenhängt.")
    assert (sample.language(IDENTIFY), sample.response) == ("de", "resp_7")


def test_reads_a_whole_response() -> None:
    sample, said = Sample(), "Gerne erkläre ich dir, wie das mit den beiden Modellen zusammenhängt."
    output = [{"type": "message", "content": [{"type": "output_text", "text": said}]}]
    sample.add(json.dumps({"id": "resp_8", "output": output}, separators=(",", ":")).encode())
    assert (sample.language(IDENTIFY), sample.response) == ("de", "resp_8")


def test_a_chats_answer_isnt_stored() -> None:
    assert streamed(PROSE).response is None
