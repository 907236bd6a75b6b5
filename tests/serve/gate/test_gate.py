"""A whole gate against engine doubles: what each check sees, what is asked, and how the command ends."""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from serve.__main__ import cli
from serve.errors import ConfigError
from serve.gate import report
from serve.gate.collect import Plan, _Collector, collect
from serve.gate.compare import RULES, Dtype
from serve.gate.evidence import Evidence
from serve.gate.prompts import Prompt
from serve.gate.router import reach
from serve.gate.verdict import CHECKS, Check, judge
from serve.routing.lane import Lane
from tests.serve import double

PROMPTS = (Prompt("en", "How?", sampled=True), Prompt("zh-Hans", "怎么？", long=True), Prompt("zh-Hans", "为什么？"))
PLAN = Plan(PROMPTS, max_tokens=12, long_tokens=40, samples=200)
LOGPROBS = {"token_id:5": -0.7, "token_id:77": -0.8}
HALF = {
    "acceptance_histogram": [0, 10],
    "num_spec_steps": 10,
    "num_accepted_draft_tokens": 10,
    "num_draft_tokens": 20,
}


UNSEEDED = random.Random(0)


@dataclass(frozen=True)
class Model:
    """An engine double's model: how it spoils greedy tokens, how it draws, what it writes, what it reports."""

    spoil: Callable[[list[int]], list[int]] = list
    weights: Sequence[float] = (5, 3, 2)
    text: str = "fine"
    speculative: dict[str, Any] | None = None

    async def __call__(self, exchange: double.Exchange) -> None:
        asked = exchange.payload
        if exchange.path == "/v1/completions":
            return await exchange.whole({"choices": [{"logprobs": {"top_logprobs": [LOGPROBS]}}]})
        choices = [
            {"token_ids": self.tokens(asked, number), "message": {"content": self.text, "reasoning": None}}
            for number in range(asked.get("n", 1))
        ]
        metrics = {**double.METRICS, "speculative_decoding": self.speculative}
        return await exchange.whole({"prompt_token_ids": [1, 2], "choices": choices, "metrics": metrics})

    def tokens(self, asked: dict[str, Any], number: int) -> list[int]:
        if asked["temperature"] == 0:
            return self.spoil(list(range(asked["max_tokens"])))
        drawn = UNSEEDED if asked["seed"] is None else random.Random(asked["seed"] + number)
        return drawn.choices(range(len(self.weights)), self.weights, k=4)


BODY, SOUND = Model(), Model(speculative=HALF)


@dataclass(frozen=True)
class Running:
    """A router with lanes `body` and `mtp`, and their doubles."""

    url: str
    body: double.Engine
    mtp: double.Engine

    def gate(self, lane: Model) -> Evidence:
        self.body.behaviour, self.mtp.behaviour = BODY, lane
        return asyncio.run(collect(self.url, PLAN, lambda done, total: None))


@pytest.fixture
def running(client: httpx2.Client, body: double.Engine, mtp: double.Engine) -> Running:
    return Running(str(client.base_url).rstrip("/"), body, mtp)


def failed(evidence: Evidence, dtype: Dtype = Dtype.BFLOAT16) -> set[str]:
    return {check.name for check in judge(evidence, RULES[dtype]) if not check.passed}


def swap(position: int, token: int) -> Callable[[list[int]], list[int]]:
    return lambda tokens: [*tokens[:position], token, *tokens[position + 1 :]]


def test_a_sound_lane_passes_every_check(running: Running) -> None:
    evidence = running.gate(SOUND)
    checks = judge(evidence, RULES[Dtype.FLOAT32])
    assert [(check.lane, check.name) for check in checks] == [
        ("body", "greedy mixed"),
        *(("mtp", name) for name in CHECKS),
    ]
    assert report.passed(checks), report.table(checks)
    assert report.summary(checks) == "gate passed: mtp answer as body does"
    assert len(evidence.draws["mtp"]) == 6  # one sampled prompt, two settings, three positions


def test_the_detectors_weigh_the_bodys_answers_as_the_lanes(running: Running) -> None:
    """Else a body that loops in greedy answers alone would make its lanes seem to loop more."""
    texts = running.gate(SOUND).texts
    assert len(texts["body"]) == len(texts["mtp"]) == 4 * len(PROMPTS)  # alone, mixed, two sampled


def test_every_prompt_goes_to_every_lane_alone_and_mixed(running: Running) -> None:
    running.gate(SOUND)
    for engine in (running.body, running.mtp):
        greedy = [exchange.payload for exchange in engine.got if exchange.payload.get("temperature") == 0]
        assert len(greedy) == 2 * len(PROMPTS)
        assert all(payload["return_token_ids"] for payload in greedy)
        long = [payload for payload in greedy if payload.get("ignore_eos")]
        assert [payload["max_tokens"] for payload in long] == [40, 40]


def test_no_two_requests_for_draws_share_a_seed_and_half_have_none(running: Running) -> None:
    running.gate(SOUND)
    drawn = [each.payload for engine in (running.body, running.mtp) for each in engine.got if "n" in each.payload]
    chunks = [payload for payload in drawn if payload["n"] == 100]
    seeds = [payload["seed"] + number for payload in chunks if payload["seed"] is not None for number in range(100)]
    assert len(seeds) == len(set(seeds)) == 2 * PLAN.samples
    assert sum(payload["seed"] is None for payload in chunks) == sum(payload["seed"] is not None for payload in chunks)


def test_a_tie_passes_where_the_type_allows_it(running: Running) -> None:
    """The body puts tokens 5 and 77 a tenth of a nat apart: a tie in bfloat16, not in float32."""

    def one_in_a_long_answer(tokens: list[int]) -> list[int]:
        return swap(5, 77)(tokens) if len(tokens) == 40 else tokens

    evidence = running.gate(Model(one_in_a_long_answer, speculative=HALF))
    greedy = [check for check in judge(evidence, RULES[Dtype.BFLOAT16]) if check.name.startswith("greedy")]
    assert [check.figures["ties"] for check in greedy] == [0, 1, 1]
    assert failed(evidence) == set()
    assert failed(evidence, Dtype.FLOAT32) == {"greedy alone", "greedy mixed"}


def test_a_wrong_token_fails_and_is_named_by_number(running: Running) -> None:
    evidence = running.gate(Model(swap(7, 99), speculative=HALF))
    assert failed(evidence) == {"greedy alone", "greedy mixed"}
    [said] = [check.said for check in judge(evidence, RULES[Dtype.BFLOAT16]) if check.name == "greedy alone"]
    assert "token 8 is 99, the body's 7, and not among the body's best there" in said


@pytest.mark.parametrize(
    ("lane", "check"),
    [
        pytest.param(Model(weights=(3, 3, 4), speculative=HALF), "sampling", id="draws otherwise"),
        pytest.param(Model(), "acceptance", id="reports no acceptance"),
        pytest.param(
            Model(speculative=HALF | {"acceptance_histogram": [8, 2], "num_accepted_draft_tokens": 2}),
            "acceptance",
            id="drafts in vain",
        ),
        pytest.param(Model(text="fi\ufffdne", speculative=HALF), "text", id="writes garbage"),
    ],
)
def test_each_fault_fails_its_own_check(running: Running, lane: Model, check: str) -> None:
    assert failed(running.gate(lane)) == {check}


def test_the_table_of_the_router_gives_the_floor(running: Running) -> None:
    """It promises mtp 2.5 in Chinese: half of that gain is 0.75."""
    checks = judge(running.gate(SOUND), RULES[Dtype.BFLOAT16])
    [found] = [check.figures for check in checks if check.name == "acceptance"]
    assert (found["kind"], found["floor"], found["measured"]) == ("zh-Hans", 1.75, 2.5)


def test_draws_that_never_vary_prove_nothing(running: Running) -> None:
    running.body.behaviour = certain = Model(weights=(1,), speculative=HALF)
    running.mtp.behaviour = certain
    assert failed(asyncio.run(collect(running.url, PLAN, lambda done, total: None))) == {"sampling"}


def test_an_engine_that_gives_no_token_ids_is_refused(running: Running) -> None:
    running.body.behaviour = running.mtp.behaviour = double.answer
    with pytest.raises(ConfigError, match="lane body gives no token ids"):
        asyncio.run(collect(running.url, PLAN, lambda done, total: None))


def test_a_router_without_a_drafting_lane_has_nothing_to_gate(loop: double.Loop, body: double.Engine) -> None:
    with (
        double.router(loop, double.settings((Lane("body", body.url),))) as url,
        pytest.raises(ConfigError, match="compares drafting lanes with lane `body`"),
    ):
        asyncio.run(collect(url, PLAN, lambda done, total: None))


def test_a_lane_that_is_not_ready_is_named(running: Running, client: httpx2.Client) -> None:
    running.mtp.healthy = False
    double.until(lambda: not client.get("/readyz").json()["lanes"]["mtp"])
    with pytest.raises(ConfigError, match="lane mtp isn't ready"):
        asyncio.run(collect(running.url, PLAN, lambda done, total: None))


def test_no_connection_waits_for_a_second_request(loop: double.Loop, body: double.Engine) -> None:
    """The router closes idle connections after five seconds, as long as a mixed batch may take: a race to lose."""

    async def explain(exchange: double.Exchange) -> None:
        await exchange.whole({"candidates": []})

    async def ask() -> None:
        async with reach(body.url) as router:
            assert await router.promised("How?") == {}

    body.behaviour = explain
    asyncio.run(ask())
    assert body.got[0].headers["connection"] == "close"


@contextlib.contextmanager
def copies(
    loop: double.Loop, second: double.Behaviour, first: double.Behaviour | None = None, *, drafting: bool = True
) -> Iterator[tuple[str, list[str]]]:
    """A router whose lanes are all on the same two engines, which answer as they are told; gives both names."""
    with double.engine(loop) as one, double.engine(loop) as other:
        one.behaviour, other.behaviour = first or Model(speculative=HALF), second
        pair = (one.url, other.url)
        lanes = (Lane("body", pair), *((Lane("mtp", pair, "mtp", 2),) if drafting else ()))
        with double.router(loop, double.settings(lanes)) as url:
            double.until(
                lambda: all(each["ready"] == 2 for each in httpx2.get(f"{url}/readyz").json()["engines"].values())
            )
            yield url, [each.removeprefix("http://") for each in pair]


def gated(url: str) -> Evidence:
    return asyncio.run(collect(url, PLAN, lambda done, total: None))


def test_each_copy_of_a_lane_is_asked_and_compared(loop: double.Loop) -> None:
    with copies(loop, Model(speculative=HALF)) as (url, names):
        evidence = gated(url)
    assert evidence.lanes == [f"{lane}@{name}" for lane in ("body", "mtp") for name in names]
    assert failed(evidence) == set()
    checks = {(check.lane, check.name) for check in judge(evidence, RULES[Dtype.BFLOAT16])}
    assert (f"mtp@{names[1]}", "acceptance") in checks
    assert (f"body@{names[1]}", "sampling") in checks
    assert (f"body@{names[1]}", "acceptance") not in checks, "it drafts nothing"


def test_alone_is_one_request_at_a_time_in_each_engine_and_engines_side_by_side(loop: double.Loop) -> None:
    """A box with eight copies would take eight times as long otherwise."""
    running, seen = [0, 0], list[tuple[int, int]]()

    def counting(number: int) -> double.Behaviour:
        async def behave(exchange: double.Exchange) -> None:
            running[number] += 1
            seen.append((running[0], running[1]))
            await asyncio.sleep(0.02)
            running[number] -= 1
            await Model()(exchange)

        return behave

    async def alone(url: str) -> None:
        async with reach(url) as router:
            await _Collector(router, PLAN, Evidence(await router.lanes()), lambda done, total: None)._alone()

    with copies(loop, counting(1), counting(0)) as (url, _):
        asyncio.run(alone(url))
    assert (1, 1) in seen
    assert max(max(pair) for pair in seen) == 1


@pytest.mark.parametrize("drafting", [True, False], ids=["lanes on each", "the body alone"])
def test_a_copy_that_answers_otherwise_is_named_and_no_other(loop: double.Loop, drafting: bool) -> None:
    """The one whose card is broken, say: the first of every lane is sound."""
    with copies(loop, Model(speculative=HALF, spoil=swap(5, 99)), drafting=drafting) as (url, names):
        evidence = gated(url)
    wrong = {check.lane for check in judge(evidence, RULES[Dtype.BFLOAT16]) if not check.passed}
    assert wrong == {f"{lane}@{names[1]}" for lane in (("body", "mtp") if drafting else ("body",))}


def test_a_lane_that_refuses_ends_the_gate(running: Running) -> None:
    async def refuse(exchange: double.Exchange) -> None:
        await exchange.whole({"error": {"message": "no"}}, 400)

    running.body.behaviour, running.mtp.behaviour = BODY, refuse
    with pytest.raises(ConfigError, match="lane mtp answered 400"):
        asyncio.run(collect(running.url, PLAN, lambda done, total: None))


def test_progress_ends_at_its_total(running: Running) -> None:
    running.body.behaviour, running.mtp.behaviour = BODY, SOUND
    seen: list[tuple[int, int]] = []
    asyncio.run(collect(running.url, PLAN, lambda done, total: seen.append((done, total))))
    assert seen == [(done, seen[0][1]) for done in range(1, seen[0][1] + 1)]


@pytest.mark.parametrize(("lane", "code"), [(SOUND, 0), (Model(swap(7, 99), speculative=HALF), 1)], ids=["0", "1"])
@pytest.mark.parametrize("machine", [False, True], ids=["table", "json"])
def test_the_command_ends_by_the_verdict(
    running: Running, tmp_path: Path, lane: Model, code: int, machine: bool
) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text("[[prompt]]\nkind = 'zh-Hans'\ntext = '怎么？'\nlong = true\n" + OTHER_PROMPTS)
    running.body.behaviour, running.mtp.behaviour = BODY, lane
    given = ["gate", running.url, "--prompts", str(path), "--samples", "200", *(["--json"] if machine else [])]
    done = CliRunner().invoke(cli, given)
    assert done.exit_code == code, done.output
    if machine:
        assert json.loads(done.stdout)["passed"] == (code == 0)
    else:
        assert ("gate passed" if code == 0 else "gate failed: mtp (greedy alone), mtp (greedy mixed)") in done.stdout
    assert "怎么" not in done.output


OTHER_PROMPTS = """
[[prompt]]
kind = 'zh-Hans'
text = '为什么？'
sampled = true

[[prompt]]
kind = 'zh-Hans'
text = '谁？'
"""


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:8000"], ids=["nobody there", "no URL"])
def test_what_cannot_run_says_so_in_one_line(url: str) -> None:
    command = [sys.executable, "-m", "serve", "gate", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert url in done.stderr


def test_what_is_not_finite_is_null_for_machines() -> None:
    check = Check("mtp", "greedy alone", False, "said", {"gap": float("inf")})
    assert json.loads(report.as_json([check]))["checks"][0]["gap"] is None
