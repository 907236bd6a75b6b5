"""Which conversation it is, and how much of it came before."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.prefix import after, prefix_of

SYSTEM = {"role": "system", "content": "You are kind."}
FIRST = {"role": "user", "content": "x" * 400}
ANSWER = {"role": "assistant", "content": "y" * 800}


def test_a_conversation_keeps_its_name_as_it_goes_on() -> None:
    began, later = prefix_of({"messages": [SYSTEM, FIRST]}), prefix_of({"messages": [SYSTEM, FIRST, ANSWER, FIRST]})
    other = prefix_of({"messages": [SYSTEM, {"role": "user", "content": "z"}, ANSWER, FIRST]})
    assert began is not None
    assert later is not None
    assert other is not None
    assert began.conversation == later.conversation != other.conversation
    assert (began.tokens, later.tokens) == (3, 303)


def test_other_scripts_have_more_tokens_a_character() -> None:
    prefix = prefix_of({"messages": [{"role": "user", "content": "天" * 300}, ANSWER]})
    assert prefix is not None
    assert prefix.tokens == 200


PICTURES = {
    "OpenAI's": {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10**6}},
    "a sound": {"type": "input_audio", "input_audio": {"data": "A" * 10**6, "format": "wav"}},
    "Anthropic's": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 10**6}},
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_picture_counts_for_what_a_model_sees_of_it(picture: dict[str, Any]) -> None:
    shown = {"role": "user", "content": [picture, {"type": "text", "text": "x" * 400}]}
    prefix = prefix_of({"messages": [shown, ANSWER]})
    without = prefix_of({"messages": [FIRST, ANSWER]})
    assert prefix is not None
    assert without is not None
    assert 280 <= prefix.tokens - without.tokens < 300


def test_conversations_about_two_pictures_are_two() -> None:
    def about(address: str) -> object:
        parts = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": "What is this?"}]
        return prefix_of({"messages": [{"role": "user", "content": parts}]})

    assert about("data:image/png;base64,AAAA") != about("data:image/png;base64,AAAAAAAA")


@pytest.mark.parametrize("payload", [{}, {"messages": []}, {"messages": "x"}, {"messages": [3]}, {"prompt": "x"}])
def test_has_none_without_messages(payload: dict[str, Any]) -> None:
    assert prefix_of(payload) is None


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3))


@given(st.lists(st.dictionaries(st.sampled_from(["role", "content"]), JSON), max_size=4) | JSON)
def test_never_raises(messages: object) -> None:
    prefix_of({"messages": messages})


def test_knows_a_conversation_of_responses_by_its_first_items() -> None:
    began = prefix_of({"instructions": "You are kind.", "input": [FIRST]})
    later = prefix_of({"instructions": "You are kind.", "input": [FIRST, ANSWER, FIRST]})
    text, other = prefix_of({"input": "x" * 400}), prefix_of({"input": [{"role": "user", "content": "z"}]})
    assert began
    assert later
    assert text
    assert other
    assert began.conversation == later.conversation
    assert text.conversation != other.conversation
    assert (began.tokens, later.tokens) == (3, 303)


def test_knows_one_that_goes_on_from_a_stored_response_by_that() -> None:
    one, same, other = (prefix_of({"input": "on", "previous_response_id": name}) for name in ("r1", "r1", "r2"))
    assert one == same != other
    assert one is not None
    assert one.conversation == after("r1")
