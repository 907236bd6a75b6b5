"""The name that a client used stands where the engine's stood, and nowhere else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.proxy.naming import renamed

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just('"model":"demo"'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "response", "message", "a"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(anything, anything, st.booleans())
def test_changes_the_answers_model_and_nothing_else(before: Any, after: Any, compact: bool) -> None:
    answer = {"content": before, "model": "demo", "metadata": after}
    separators = (",", ":") if compact else (", ", " : ")
    got = renamed(json.dumps(answer, separators=separators).encode(), "demo@mtp")
    assert got == json.dumps({**answer, "model": "demo@mtp"}, separators=separators).encode()


@pytest.mark.parametrize("wrapper", ["response", "message"])
def test_changes_it_in_the_events_that_wrap_the_answer(wrapper: str) -> None:
    raw = b'event: x\ndata: {"type":"x","%s":{"metadata":{"model":"mine"},"model":"demo"}}\n\n' % wrapper.encode()
    assert renamed(raw, "demo@mtp") == raw.replace(b'"demo"', b'"demo@mtp"')


@pytest.mark.parametrize(
    "raw",
    [
        b"data: [DONE]\n\n",
        b'{"input":{"model":"demo"}}',
        b'[{"model":"demo"}]',
        b'{"model":null}',
        b'{"text":"\\"model\\":\\"demo\\""}',
        b'{"model',
        b'"model"',
        b"}}}]]",
    ],
    ids=["end", "a tool's", "a list's", "null", "quoted", "cut off", "no object", "unbalanced"],
)
def test_leaves_what_names_no_model(raw: bytes) -> None:
    assert renamed(raw, "demo@mtp") == raw


@given(st.binary(max_size=60))
def test_never_raises(raw: bytes) -> None:
    renamed(b'{"model":' + raw, "demo@mtp")
    renamed(raw + b'"model":"demo"', "demo@mtp")


def test_names_beyond_ascii_are_written_as_the_engine_writes_them() -> None:
    assert renamed(b'{"model":"x"}', "模型@body").decode() == '{"model":"模型@body"}'
