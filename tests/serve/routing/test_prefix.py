"""Which conversation it is, and how much of it came before."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.prefix import prefix_of

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


@pytest.mark.parametrize("payload", [{}, {"messages": []}, {"messages": "x"}, {"messages": [3]}, {"prompt": "x"}])
def test_has_none_without_messages(payload: dict[str, Any]) -> None:
    assert prefix_of(payload) is None


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3))


@given(st.lists(st.dictionaries(st.sampled_from(["role", "content"]), JSON), max_size=4) | JSON)
def test_never_raises(messages: object) -> None:
    prefix_of({"messages": messages})
