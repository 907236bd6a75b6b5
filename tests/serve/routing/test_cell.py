"""The cell of any request: always one of the closed sets, from a bounded amount of text."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.routing.cell import Endpoint, classify
from serve.routing.language import LANGUAGES
from serve.routing.task import TASKS
from tests.serve.routing.labelled import model

ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
content = anything | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": anything}) | anything, max_size=4)
role = st.sampled_from(["user", "assistant", "system", "developer", "tool"]) | anything
message = st.fixed_dictionaries({}, optional={"role": role, "content": content, "tool_calls": anything})
fields = {
    "messages": st.lists(message | anything, max_size=6) | anything,
    "prompt": anything,
    "response_format": anything | st.fixed_dictionaries({"type": anything}),
    "tool_choice": anything,
    "tools": anything,
    "chat_template_kwargs": anything | st.dictionaries(st.sampled_from(["enable_thinking", "thinking"]), anything),
    "reasoning_effort": anything,
    "structured_outputs": anything,
    "input": st.lists(message | anything, max_size=6) | anything,
    "instructions": anything,
    "system": content,
    "thinking": anything | st.fixed_dictionaries({"type": anything}),
    "output_config": anything | st.fixed_dictionaries({"format": anything, "effort": anything}),
    "text": anything | st.fixed_dictionaries({"format": anything}),
    "reasoning": anything | st.fixed_dictionaries({"effort": anything}),
}
payloads = st.fixed_dictionaries({}, optional=fields)
MARKUP = (
    "```",
    '"""',
    "<a>",
    "</a>",
    "$",
    "\\(",
    ":",
    "：",
    "\n\n",
    "\n",
    "?",
    "{",
    "}",
    "`",
    "\ud800",
    "\x00",
    "a@b.c",
)
TEXT = (
    "in german ",
    "用英文",
    "翻译",
    "translate ",
    "def f(x):",
    "的",
    "の",
    "는 ",
    "是",
    "write ",
    "é",
    "ж",
    "ع",
    "है",
)
pieces = st.lists(st.sampled_from((*MARKUP, *TEXT)), max_size=60).map("".join)


@settings(max_examples=300)
@given(payload=payloads, endpoint=st.sampled_from(ENDPOINTS))
def test_any_json_gets_a_cell_of_the_closed_sets(payload: dict[str, Any], endpoint: Endpoint) -> None:
    cell = classify(payload, endpoint, model())
    assert cell.language in LANGUAGES
    assert cell.task in TASKS
    assert cell.endpoint == endpoint
    assert isinstance(cell.thinking, bool)


@settings(max_examples=300)
@given(system=pieces, earlier=pieces, answer=pieces, user=pieces, endpoint=st.sampled_from(ENDPOINTS))
def test_any_mixture_of_markup_and_scripts_gets_a_cell_of_the_closed_sets(
    system: str, earlier: str, answer: str, user: str, endpoint: Endpoint
) -> None:
    texts = [("system", system), ("user", earlier), ("assistant", answer), ("user", user)]
    payload = {"messages": [{"role": role, "content": text} for role, text in texts], "prompt": user}
    cell = classify(payload, endpoint, model())
    assert cell.language in LANGUAGES
    assert cell.task in TASKS


@given(middle=st.text(st.sampled_from("abc 是の`$<\n"), min_size=1, max_size=50), repeats=st.integers(1, 2_000))
def test_the_middle_of_a_long_text_is_not_examined(middle: str, repeats: int) -> None:
    """Whatever stands there, the cell is that of the two ends: the cost can't grow with the text."""
    ends = (
        "Please tell me what you think of this text. " * 20,
        " What is the point that its author wants to make? " * 20,
    )
    long = ends[0] + (middle * repeats).replace("`", "'") + ends[1]
    assert _chat(("user", long)) == _chat(("user", ends[0] + ends[1]))


def test_the_model_reads_a_bounded_amount_of_text() -> None:
    read: list[int] = []

    def counting(text: str) -> list[tuple[str, float]]:
        read.append(len(text))
        return [("en", 0.1)]

    sentence = "Lorem ipsum dolor sit amet consectetur adipiscing elit. "
    for length in (10, 10_000):
        read.clear()
        history = [{"role": role, "content": sentence * length} for role in ("system", "user", "assistant") * 40]
        classify({"messages": [*history, {"role": "user", "content": sentence * length}]}, "chat", counting)
        assert sum(read) <= 1_500


def test_history_beyond_the_last_turns_does_not_count() -> None:
    turns = [("user", "今天天气怎么样？"), ("assistant", "今天天气晴朗。")] * 500
    assert (
        _chat(*turns, ("user", "Why is the sky blue?"), ("assistant", "Because of scattering."), ("user", "ok")) == "en"
    )


@pytest.mark.parametrize(
    ("extra", "thinking"),
    [
        ({}, False),
        ({"reasoning_effort": "high"}, True),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": None}, False),
        ({"reasoning_effort": 3}, False),
        ({"chat_template_kwargs": {"enable_thinking": True}}, True),
        ({"chat_template_kwargs": {"thinking": True}}, True),
        ({"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "high"}, False),
        ({"chat_template_kwargs": {"enable_thinking": "yes"}}, False),
        ({"chat_template_kwargs": ["enable_thinking"]}, False),
    ],
    ids=json.dumps,
)
def test_thinking_follows_the_template_switch_then_the_effort(extra: dict[str, Any], thinking: bool) -> None:
    payload = {"messages": [{"role": "user", "content": "Hello there"}], **extra}
    assert classify(payload, "chat", model()).thinking is thinking


@pytest.mark.parametrize(
    ("extra", "asked", "kind"),
    [
        ({}, "Is it going to rain in Oslo today?", "json"),
        ({"tool_choice": "none"}, "Is it going to rain in Oslo today?", "prose"),
        ({"tools": []}, "Is it going to rain in Oslo today?", "prose"),
        ({}, "Write a function in Python that sorts words.", "code"),
    ],
    ids=["on offer", "forbidden", "none", "code asked for"],
)
def test_tools_on_offer_mean_a_call_where_the_user_spoke_last(extra: dict[str, Any], asked: str, kind: str) -> None:
    tools = [{"type": "function", "function": {"name": "weather"}}]
    payload = {"messages": [{"role": "user", "content": asked}], "tools": tools, **extra}
    assert classify(payload, "chat", model()).task == kind


def test_completions_never_think() -> None:
    assert classify({"prompt": "Once upon", "reasoning_effort": "high"}, "completions", model()).thinking is False


def test_a_chat_payload_has_no_prompt_and_a_completion_no_messages() -> None:
    payload = {
        "messages": [{"role": "user", "content": "Wie spät ist es gerade in Tokio?"}],
        "prompt": "¿Qué hora es en Tokio?",
    }
    assert classify(payload, "chat", model()).language == "de"
    assert classify(payload, "completions", model()).language == "es"


@pytest.mark.parametrize(
    ("turns", "language"),
    [
        (
            ("Reactで状態管理するには？", "useStateを使います。", "エラー Cannot read properties of undefined in this"),
            "ja",
        ),
        (("怎么排序", "可以用 list.sort()。", "报错 object of type None has no such method in this case"), "zh-Hans"),
        (("报错是什么意思", "报错就是程序出错。", "What does 报错 mean in English?"), "en"),
        (("Кажи нещо за планините.", "Рила и Пирин са чудесни за поход.", "а къде има по-малко хора"), "bg"),
        (("Шта је Дунав?", "Дунав је река у Европи.", "а Сава"), "sr"),
        (("Explain tides.", "The moon pulls.", "now in Russian", "Приливы вызывает Луна.", "make it shorter"), "ru"),
        (("Explain tides in Russian.", "Приливы вызывает Луна.", "add an example please"), "ru"),
        (("Explain tides in Russian.", "Приливы вызывает Луна.", "Who discovered that, and in which century?"), "en"),
        (("how would you mock a function that calls time.sleep() in python",), "en"),
        (("Nenne ein paar Gerichte aus diesem Land.\n\nPeru",), "de"),
        (("Опиши погоду в этом городе летом.\n\nКазань",), "ru"),
        (("TypeError: x is undefined, what do I do\n\nconst a = (b) => c(b);",), "en"),
        (("KeyError: 1 how do I fix this\n\nWas bedeutet dieser Fehler und wie behebe ich ihn?",), "de"),
        (('Can you translate what my Polish neighbour wrote? "Przepraszam za hałas do piątku."',), "en"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1][:24],
)
def test_language_where_scripts_code_and_quotations_mix(turns: tuple[str, ...], language: str) -> None:
    roles = ("user", "assistant", "user", "assistant", "user")
    assert _chat(*zip(roles, turns, strict=False)) == language


def _chat(*turns: tuple[str, str]) -> str:
    return classify({"messages": [{"role": r, "content": c} for r, c in turns]}, "chat", model()).language


@pytest.mark.parametrize(
    ("prompt", "language", "kind"),
    [
        ("# Return the longest of the given words.\ndef longest(words):\n", "en", "code"),
        ("# Gibt das längste der übergebenen Wörter zurück.\ndef longest(words):\n", "de", "code"),
        ('def middle(a, b):\n    """Gibt den Mittelwert der beiden Zahlen zurück."""\n', "de", "code"),
        ('def middle(a, b):\n    """返回两个数的平均值"""\n', "zh-Hans", "code"),
        ("/**\n * Returns the number of words in a text.\n */\nfunction words(text) {", "en", "code"),
        (
            "/**\n * Gibt zurück, ob das Wort vorwärts wie rückwärts gelesen gleich ist.\n"
            " * >>> mirrored('anna')\n * true\n * >>> mirrored('the end of it')\n * false\n */\n"
            "export function mirrored(word: string): boolean {\n",
            "de",
            "code",
        ),
        ("#!/bin/sh\nset -e\nfor f in *.log; do\n", "und", "code"),
        ("print(dumps({}))\nimport json\n", "und", "code"),
        ("List the names in the sentence.\n\nSentence: Ann met Bob.\nJSON:", "en", "json"),
    ],
    ids=[
        "english comment",
        "german comment",
        "docstring",
        "chinese docstring",
        "block",
        "block with examples",
        "no comment",
        "json as a module",
        "json as a label",
    ],
)
def test_what_continues_code_or_a_label(prompt: str, language: str, kind: str) -> None:
    cell = classify({"prompt": prompt}, "completions", model())
    assert (cell.language, cell.task) == (language, kind)
