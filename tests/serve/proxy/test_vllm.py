"""vLLM's dialect: what is added to a request, and what is read off an answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.proxy import vllm
from serve.routing.lane import Lane

MTP = Lane("mtp", "http://engine", "mtp", 3)
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}

# As vLLM 0.32.0 wrote it for one request (48 tokens in 12 steps of 3 drafts).
SPECULATIVE = {
    "mean_acceptance_length": 4.0,
    "draft_acceptance_rate": 1.0,
    "acceptance_histogram": [0, 0, 0, 12],
    "num_spec_steps": 12,
    "num_accepted_draft_tokens": 36,
    "num_draft_tokens": 36,
    "num_spec_tokens": 3,
}


def prepared(payload: dict[str, Any], *, shared: bool = False) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(vllm.prepare(payload, "served", MTP, shared=shared))
    return sent


def test_names_the_model_as_the_engine_knows_it() -> None:
    assert prepared({**CHAT, "model": "served@mtp"}) == {**CHAT, "model": "served"}


def test_asks_for_the_usage_chunk_of_a_stream() -> None:
    options = prepared({**CHAT, "stream": True})["stream_options"]
    assert options == {"include_usage": True, "continuous_usage_stats": False}


def test_leaves_a_whole_answer_alone() -> None:
    assert "stream_options" not in prepared(CHAT)


def test_leaves_a_client_that_wants_usage_alone() -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    assert prepared({**CHAT, "stream": True, "stream_options": options})["stream_options"] == options


def test_does_not_turn_on_usage_in_every_chunk_for_a_client_without_usage() -> None:
    options = {"include_usage": False, "continuous_usage_stats": True}
    sent = prepared({**CHAT, "stream": True, "stream_options": options})["stream_options"]
    assert sent == {"include_usage": True, "continuous_usage_stats": False}


def test_tells_an_engine_with_several_lanes_which_one() -> None:
    sent = prepared({**CHAT, "vllm_xargs": {"mine": 1}}, shared=True)
    assert sent["vllm_xargs"] == {"mine": 1, "lane": "mtp", "draft_tokens": 3}


def test_lone_surrogates_reach_the_engine_as_they_came() -> None:
    raw = b'{"messages":[{"role":"user","content":"\\ud800"}]}'
    assert b'"\\ud800"' in vllm.prepare(json.loads(raw), "served", MTP, shared=False)


@pytest.mark.parametrize(
    ("payload", "parameter"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"min_p": 0}, None, id="min_p of zero"),
        pytest.param({"min_p": 0.05}, "min_p", id="min_p"),
        pytest.param({"min_p": 0.05, "temperature": 0.7}, "min_p", id="min_p and a temperature"),
        pytest.param({"min_p": 0.05, "temperature": 0}, None, id="greedy sampling ignores min_p"),
        pytest.param({"min_p": "high"}, None, id="a malformed min_p is the engine's to refuse"),
        pytest.param({"logit_bias": {}}, None, id="empty logit_bias"),
        pytest.param({"logit_bias": {"5": 1}}, "logit_bias", id="logit_bias"),
    ],
)
def test_knows_what_a_speculating_engine_refuses(payload: dict[str, Any], parameter: str | None) -> None:
    assert vllm.undraftable(payload) == parameter


def test_reads_counts_times_and_acceptance() -> None:
    report = vllm.report(
        {
            "usage": {"prompt_tokens": 9, "completion_tokens": 48},
            "metrics": {
                "queue_time_ms": 5.0,
                "time_to_first_token_ms": 20.0,
                "generation_time_ms": 500.0,
                "speculative_decoding": SPECULATIVE,
            },
        }
    )
    assert (report.prompt_tokens, report.completion_tokens, report.generation_time) == (9, 48, 0.5)
    assert report.time_to_first_token == pytest.approx(0.025)
    assert report.acceptance is not None
    assert report.acceptance.acceptance_length == SPECULATIVE["mean_acceptance_length"]
    assert report.acceptance.accepted_per_pos == (12, 12, 12)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6))
def test_positions_add_up_to_what_was_accepted(histogram: list[int]) -> None:
    accepted = sum(number * steps for number, steps in enumerate(histogram))
    reported = {
        "num_spec_steps": sum(histogram),
        "num_draft_tokens": sum(histogram) * (len(histogram) - 1),
        "num_accepted_draft_tokens": accepted,
        "acceptance_histogram": histogram,
    }
    acceptance = vllm.report({"metrics": {"speculative_decoding": reported}}).acceptance
    assert acceptance is not None
    assert sum(acceptance.accepted_per_pos) == accepted
    assert list(acceptance.accepted_per_pos) == sorted(acceptance.accepted_per_pos, reverse=True)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"num_spec_steps": 13}, id="steps don't add up"),
        pytest.param({"num_accepted_draft_tokens": 35}, id="accepted doesn't add up"),
        pytest.param({"num_draft_tokens": 3}, id="more accepted than drafted"),
        pytest.param({"acceptance_histogram": None}, id="no histogram"),
        pytest.param({"acceptance_histogram": [0, -1, "x"]}, id="histogram of nonsense"),
        pytest.param({"num_spec_steps": True}, id="a truth value is no count"),
    ],
)
def test_a_report_that_contradicts_itself_is_none(change: dict[str, Any]) -> None:
    answer = {"metrics": {"speculative_decoding": {**SPECULATIVE, **change}}}
    assert vllm.report(answer).acceptance is None


FIELDS = st.sampled_from([*SPECULATIVE, "usage"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=4),
)


@given(JSON, JSON, JSON)
def test_reading_never_raises(usage: object, metrics: object, speculative: object) -> None:
    vllm.report(usage)
    vllm.report({"usage": usage, "metrics": metrics})
    vllm.report({"metrics": {"speculative_decoding": speculative, "generation_time_ms": usage}})


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000], ids=["empty", "cut off", "not UTF-8", "deep"])
def test_what_is_not_json_decodes_to_nothing(raw: bytes) -> None:
    assert vllm.decode(raw) is None
