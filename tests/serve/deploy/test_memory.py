"""What the memory plan takes and what it refuses: the published cases, each with its source, and the fixes."""

from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from serve import __main__ as command_line
from serve.deploy import memory
from serve.deploy import profile as profiles
from serve.deploy.memory import Plan, Pool
from serve.deploy.profile import Profile
from serve.deploy.reading import CARDS, CURRENT, LIMIT, MEMINFO, STAT, Printed, Reading
from serve.errors import ConfigError
from tests.serve import double

GB10 = profiles.load_named("gb10")
SPARK = memory.idle(GB10)


def body(profile: Profile, **changes: Any) -> Profile:
    """The profile with its served body changed; `memory` changes only the fields it names."""
    stated = profile.served.memory
    assert stated is not None
    changes["memory"] = stated.model_copy(update=changes.get("memory", {}))
    served = profile.served.model_copy(update=changes)
    return profile.model_copy(update={"bodies": profile.bodies | {profile.body: served}})


def flags(profile: Profile, **changes: Any) -> Profile:
    """The profile with flags changed (underscores for dashes); None takes one away."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    kept = {name: value for name, value in (profile.flags | named).items() if value is not None}
    return profile.model_copy(update={"flags": kept})


def seed(**changes: Any) -> Profile:
    """The abliterated body on a Spark, which has all three lanes."""
    return body(GB10.model_copy(update={"body": "seed"}), **changes)


def three_engines(kv_gib: float, weights_gib: float = 25.5) -> Profile:
    changed = seed(one_engine=False, memory={"weights_gib": weights_gib})
    return flags(changed, kv_cache_memory_bytes=int(kv_gib * 2**30))


def test_the_parts_of_three_engines_are_those_that_were_published() -> None:
    """3 x 25.5 (weights) + 3 x 6.0 (overhead) + 3 x 1.5 (graphs) + 6 (KV cache) + 1.8 (drafters), of 110 GiB."""
    assert memory.plan(three_engines(2), SPARK).held == pytest.approx(106.8)


HUNG = {
    # vLLM issue 46307: bf16 (48 GiB) at 0.70 of 119 GiB went to about 112 GiB while profiling; power cycle.
    "bf16 at 0.70": (
        flags(body(GB10, memory={"weights_gib": 48.0}), kv_cache_memory_bytes=None, gpu_memory_utilization=0.70),
        Pool(119.0, 110.0, "published"),
    ),
    # vLLM issue 56824: at 0.70 and 32 sequences of 16384 MemAvailable fell to 6.27 GiB; the guard stopped it.
    "0.70 of 121.69": (
        flags(GB10, kv_cache_memory_bytes=None, gpu_memory_utilization=0.70, max_num_seqs=32, max_model_len=16384),
        SPARK,
    ),
    # NVIDIA/dgx-spark-playbooks issue 97: hard reset in a long prefill at 0.80.
    "0.80": (flags(GB10, kv_cache_memory_bytes=None, gpu_memory_utilization=0.80), SPARK),
    # vLLM's own default, 0.92; the stack's users call 0.90 and more known bad.
    "vLLM's default": (flags(GB10, kv_cache_memory_bytes=None, gpu_memory_utilization=None), SPARK),
    # AEON-7/vllm-ultimate-dgx-spark issue 9: 22.16 GiB of weights, 36 GiB of KV cache, batches of 32768; froze often.
    "batches of 32768": (
        flags(
            body(GB10, memory={"weights_gib": 22.16, "graphs_gib": 1.7}),
            kv_cache_memory_bytes=36 * 2**30,
            max_num_batched_tokens=32768,
        ),
        SPARK,
    ),
}


@pytest.mark.parametrize(("profile", "pool"), HUNG.values(), ids=HUNG.keys())
def test_what_hung_a_spark_is_refused(profile: Profile, pool: Pool) -> None:
    made = memory.plan(profile, pool)
    assert made.peak > made.offered
    assert made.problem


@pytest.mark.parametrize("kv_gib", [2, 4])
def test_three_fp8_engines_on_a_spark_are_refused_and_one_engine_is_the_fix(kv_gib: float) -> None:
    made = memory.plan(three_engines(kv_gib), SPARK)
    assert made.problem.startswith("3 engines would hold")
    assert made.fix == "set one-engine = true"


def test_one_engine_with_every_lane_fits_a_spark() -> None:
    made = memory.plan(seed(), SPARK)
    assert not made.problem
    assert made.held == pytest.approx(25.5 + 6.0 + 1.5 + 8.0 + 0.8 + 1.0)


def test_three_nvfp4_engines_fit_a_spark_with_2_gib_of_kv_cache_each() -> None:
    assert not memory.plan(three_engines(2, weights_gib=15.4), SPARK).problem


@pytest.mark.parametrize("name", profiles.names())
def test_every_body_of_every_profile_fits_an_idle_box(name: str) -> None:
    profile = profiles.load_named(name)
    for chosen in profile.bodies:
        served = profile.model_copy(update={"body": chosen})
        assert not memory.plan(served, memory.idle(served)).problem, chosen


def test_another_tenant_is_the_first_thing_to_go() -> None:
    """Ollama has kept 19 to 51 GiB of a Spark; the plan says how much has to go."""
    made = memory.plan(GB10, replace(SPARK, free=110.0 - 51.0))
    assert made.fix.startswith("free 15.5 GiB: stop what else holds memory")
    assert not memory.plan(GB10, replace(SPARK, free=110.0 - 51.0 + 15.6)).problem


def test_a_kv_cache_that_is_too_large_is_cut_to_the_largest_that_fits() -> None:
    made = memory.plan(flags(GB10, kv_cache_memory_bytes=60 * 2**30), SPARK)
    size = int(made.fix.removeprefix("set kv-cache-memory-bytes = ").split()[0])
    assert not memory.plan(flags(GB10, kv_cache_memory_bytes=size), SPARK).problem
    assert memory.plan(flags(GB10, kv_cache_memory_bytes=size + 2**28), SPARK).problem


def test_a_share_that_vllm_would_not_find_free_is_lowered() -> None:
    """vLLM holds it against what is free, whatever kv-cache-memory-bytes says (llamastash issue 80)."""
    card = profiles.load_named("rtx-pro-6000")
    asking = body(card, flags=card.served.flags | {"gpu-memory-utilization": 0.99})
    made = memory.plan(asking, memory.idle(asking))
    assert "vLLM wants gpu-memory-utilization x 95.6 GiB = 94.6 GiB to be free then, and 94.0 GiB are" in made.problem
    assert made.fix == "set gpu-memory-utilization = 0.98"
    assert not memory.plan(
        body(card, flags=card.served.flags | {"gpu-memory-utilization": 0.98}), memory.idle(card)
    ).problem


def test_a_lane_is_left_out_where_nothing_smaller_helps() -> None:
    card = profiles.load_named("rtx-pro-2000").model_copy(update={"body": "seed"})
    made = memory.plan(body(card, memory={"weights_gib": 12.5}), memory.idle(card))
    assert made.problem.startswith("2 engines would hold")
    assert made.fix == "leave out lane eagle3"


def test_what_no_change_helps_says_so() -> None:
    made = memory.plan(body(GB10, memory={"weights_gib": 200.0}), SPARK)
    assert made.fix == "take a smaller body or a box with more memory"


def test_a_cache_below_one_sequence_is_refused() -> None:
    made = memory.plan(flags(GB10, kv_cache_memory_bytes=2**29), SPARK)
    assert "no room for one sequence of max-model-len tokens (0.80 GiB)" in made.problem


def reading(meminfo: str = "", cards: str = "") -> Reading:
    return Reading({MEMINFO: meminfo}, {CARDS: Printed(0, cards)})


MEMINFO_OF_A_SPARK = "MemTotal:       127600748 kB\nMemFree:         2904556 kB\nMemAvailable:   118566368 kB\n"
CARD_OF_A_SPARK = "0, NVIDIA GB10, 580.173.02, 12.1, [N/A], [N/A]\n"


def test_on_unified_memory_what_is_free_is_memavailable() -> None:
    """XuehaiPan/nvitop issue 208 has these lines; nvidia-smi and cudaMemGetInfo know no such thing."""
    pool = memory.free(GB10, reading(MEMINFO_OF_A_SPARK, CARD_OF_A_SPARK))
    assert pool.free == pytest.approx(113.07, abs=0.01)
    assert pool.total == pytest.approx(121.69, abs=0.01)


LIMITED = {LIMIT: "8589934592\n", CURRENT: "3221225472\n", STAT: "anon 1073741824\ninactive_file 1073741824\n"}


@pytest.mark.parametrize(
    ("files", "free", "says"),
    [
        pytest.param(LIMITED, 6.0, "container's limit", id="8 GiB less 3 that are held, 1 of them given back at need"),
        pytest.param(LIMITED | {STAT: ""}, 5.0, "container's limit", id="nothing known of what is given back"),
        pytest.param(LIMITED | {LIMIT: "max\n"}, 113.07, "MemAvailable", id="no limit"),
        pytest.param(LIMITED | {LIMIT: "999999999999\n"}, 113.07, "MemAvailable", id="a limit above what is free"),
    ],
)
def test_a_container_has_what_its_limit_leaves(files: dict[str, str], free: float, says: str) -> None:
    pool = memory.free(profiles.load_named("cpu"), Reading({MEMINFO: MEMINFO_OF_A_SPARK, **files}))
    assert pool.free == pytest.approx(free, abs=0.01)
    assert says in pool.source


def test_on_unified_memory_a_container_s_limit_says_nothing_of_the_box() -> None:
    """The engines have containers of their own; the plan's on Kubernetes may have 512 MiB."""
    small = {LIMIT: f"{512 * 2**20}\n", CURRENT: f"{100 * 2**20}\n"}
    of_the_box = reading(MEMINFO_OF_A_SPARK, CARD_OF_A_SPARK)
    pool = memory.free(GB10, replace(of_the_box, files={**of_the_box.files, **small}))
    assert pool.free == pytest.approx(113.07, abs=0.01)
    assert pool.source == "MemAvailable"
    assert not memory.plan(GB10, pool).problem


def test_on_several_cards_the_fullest_one_counts() -> None:
    row = "{}, NVIDIA RTX PRO 2000 Blackwell, 580.105.08, 12.0, 16311, {}\n"
    seen = "".join(row.format(index, left) for index, left in enumerate([15900, 9000, 15900, 15900]))
    four = profiles.load_named("rtx-pro-2000-x4")
    assert memory.free(four, reading(cards=seen)).free == pytest.approx(9000 / 1024)
    more = seen + row.format(4, 100)
    assert memory.free(four, reading(cards=more)).free == pytest.approx(9000 / 1024), "containers get the first four"


@pytest.mark.parametrize(
    ("name", "cards", "says"),
    [
        ("gb10", "", "gb10 needs 1x NVIDIA GB10, here is no NVIDIA GPU"),
        ("rtx-pro-2000-x4", "0, NVIDIA RTX PRO 2000 Blackwell, 580.82, 12.0, 16311, 15900\n", "needs 4x NVIDIA RTX"),
        (
            "rtx-pro-6000",
            "0, NVIDIA T400, 580.82, 7.5, 4096, 4000\n1, NVIDIA RTX PRO 6000 Blackwell, 580.82, 12.0, 97887, 97000\n",
            "here is NVIDIA T400, NVIDIA RTX PRO 6000 Blackwell",
        ),
        ("rtx-pro-6000", CARD_OF_A_SPARK, "needs 1x NVIDIA RTX PRO 6000 Blackwell, here is NVIDIA GB10"),
    ],
)
def test_another_machine_is_refused_in_one_line(name: str, cards: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        memory.free(profiles.load_named(name), reading(MEMINFO_OF_A_SPARK, cards))
    assert "--idle" in str(caught.value)


def test_the_table_adds_up() -> None:
    made = memory.plan(seed(), SPARK)
    lines = memory.table(made).splitlines()
    figures = {line[:32].strip().split("  ")[0]: line.split()[-1] for line in lines if "  " in line}
    parts = ["weights", "overhead", "graphs", "drafter mtp", "drafter eagle3", "KV cache"]
    assert sum(float(figures[part]) for part in parts) == pytest.approx(float(figures["engine"])) == made.held
    assert lines[-1] == f"fits, with {110 - 10 - 22.7 - made.held:.1f} GiB to spare"


def refusal(made: Plan) -> str:
    with pytest.raises(ConfigError) as caught:
        memory.check(made)
    return str(caught.value)


def test_a_refusal_is_one_line_with_the_fix() -> None:
    line = refusal(memory.plan(three_engines(2), SPARK))
    assert line.startswith("gb10 doesn't fit: 3 engines would hold 106.8 GiB and 22.7 GiB more")
    assert line.endswith("; set one-engine = true")
    assert "\n" not in line


@pytest.mark.parametrize("arguments", [["cpu"], ["gb10", "--idle"]])
def test_the_command_prints_the_table(arguments: list[str]) -> None:
    ended = CliRunner().invoke(command_line.cli, ["plan", *arguments])
    assert ended.exit_code == 0
    assert "KV cache" in ended.stdout
    assert "fits, with" in ended.stdout


def test_the_command_fails_where_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "load_named", lambda name: three_engines(2))
    ended = CliRunner().invoke(command_line.cli, ["plan", "gb10", "--idle"])
    assert ended.exit_code == 1
    assert ended.stdout.endswith("fix: set one-engine = true\n")


def test_engines_that_run_hold_what_was_planned_for_them() -> None:
    """Whoever asks again while the stack runs must not be told that its own engines are in the way."""
    box = profiles.load_named("gb10")
    full = memory.idle(box)
    held = box.engine_gib(box.served, box.served.engine("engine"))
    left = memory.Pool(full.total, full.free - held, "MemAvailable")
    assert memory.plan(box, left).problem
    again = memory.with_running(box, left, ["engine"])
    assert again.free == pytest.approx(full.free)
    assert again.source == "MemAvailable, and what engine holds already"
    assert not memory.plan(box, again).problem
    assert memory.with_running(box, left, []) is left


def test_the_command_counts_an_engine_that_is_up_and_not_one_that_is_not(loop: double.Loop) -> None:
    command = ["plan", "cpu", "--engine"]
    with double.engine(loop) as engine:
        up = CliRunner().invoke(command_line.cli, [*command, f"mtp={engine.url}/"])
        assert "and what mtp holds already" in up.stdout
        engine.healthy = False
        assert "holds already" not in CliRunner().invoke(command_line.cli, [*command, f"mtp={engine.url}"]).stdout
    gone = CliRunner().invoke(command_line.cli, [*command, f"mtp={engine.url}"])
    assert "holds already" not in gone.stdout


@pytest.mark.parametrize("given", ["engine", "engine=here", "=http://127.0.0.1:1"])
def test_the_command_refuses_what_is_no_engine(given: str) -> None:
    with pytest.raises(ConfigError, match="isn't NAME=URL"):
        CliRunner().invoke(command_line.cli, ["plan", "cpu", "--engine", given], catch_exceptions=False)
