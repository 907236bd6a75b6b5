"""vLLM's dialect: what is added to a request, and what is read off an answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.proxy import vllm
from serve.routing.lane import Lane
from serve.routing.outcome import Asked

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


def prepared(payload: dict[str, Any], endpoint: Asked = "chat", *, shared: bool = False) -> dict[str, Any]:
    raw = json.dumps(payload).encode()
    sent: dict[str, Any] = json.loads(vllm.prepare(payload, raw, endpoint, "served", MTP, shared=shared))
    return sent


def test_what_needs_no_change_goes_on_byte_for_byte() -> None:
    raw = b'\n{ "model":"served" ,"messages": [{"role":"user","content":"\\u00e9\xc3\xa9"}], "top_p":1.0e0 } '
    assert vllm.prepare(json.loads(raw), raw, "chat", "served", MTP, shared=False) == raw


@given(
    st.dictionaries(st.sampled_from(["a", "model", "stream", "stream_options", "vllm_xargs"]), st.just(None)),
    st.sampled_from([None, 2]),
    st.sampled_from(["", " ", "\n\t\r "]),
    st.booleans(),
)
def test_what_is_added_changes_nothing_else(
    payload: dict[str, Any], indent: int | None, space: str, shared: bool
) -> None:
    payload = {**payload, "stream": True} if "stream" in payload else payload
    raw = (space + json.dumps(payload, indent=indent) + space).encode()
    sent = json.loads(vllm.prepare(payload, raw, "chat", "served", MTP, shared=shared))
    usage = {"include_usage": True, "continuous_usage_stats": False}
    expected = {**payload, "model": "served"}
    expected |= {"stream_options": usage} if payload.get("stream") else {}
    expected |= {"vllm_xargs": {"lane": "mtp", "draft_tokens": 3}} if shared else {}
    assert sent == expected


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
    sent = vllm.prepare(json.loads(raw), raw, "chat", "served", MTP, shared=False)
    assert b'"\\ud800"' in sent


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
    assert vllm.undraftable(payload, "chat") == parameter
    assert vllm.undraftable(payload, "responses") == parameter
    assert vllm.undraftable(payload, "messages") is None, "Anthropic's messages have neither"


@pytest.mark.parametrize("endpoint", ["responses", "messages"])
def test_asks_for_no_usage_chunk_where_there_is_none(endpoint: Asked) -> None:
    assert prepared({"stream": True}, endpoint) == {"stream": True, "model": "served"}


@pytest.mark.parametrize("endpoint", ["completions", "responses", "messages"])
def test_tells_the_lane_wherever_something_is_generated(endpoint: Asked) -> None:
    assert prepared({}, endpoint, shared=True)["vllm_xargs"] == {"lane": "mtp", "draft_tokens": 3}


@pytest.mark.parametrize("endpoint", ["count_tokens", "tokenize", "detokenize"])
def test_tells_no_lane_where_nothing_is_generated(endpoint: Asked) -> None:
    assert prepared({"prompt": "x"}, endpoint, shared=True) == {"prompt": "x", "model": "served"}


@pytest.mark.parametrize("wrap", [False, True], ids=["whole", "streamed"])
def test_reads_the_counts_of_responses_and_messages(wrap: bool) -> None:
    answer = {"usage": {"input_tokens": 9, "output_tokens": 48}, "metrics": {"generation_time_ms": 500.0}}
    report = vllm.report({"response": answer} if wrap else answer)
    assert (report.prompt_tokens, report.completion_tokens, report.generation_time) == (9, 48, 0.5)
    assert report.acceptance is None


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
