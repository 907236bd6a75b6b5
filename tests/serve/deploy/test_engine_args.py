import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polydraft_vllm.lanes.config import read as read_lanes

from serve.deploy import pins
from serve.deploy import profile as profiles
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.profile import Profile
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
HERE = Address("127.0.0.1", 8102)
ENGINES = [
    pytest.param(profile.model_copy(update={"body": body}), engine.name, id=f"{name}-{body}-{engine.name}")
    for name in profiles.names()
    for profile in [profiles.load_named(name)]
    for body in profile.bodies
    for engine in profile.bodies[body].engines
]


def option(args: list[str], flag: str) -> str:
    return args[args.index(flag) + 1]


def test_the_demo_s_mtp_engine_in_full() -> None:
    args = engine_args(profiles.load_named("cpu"), "mtp", HERE, Path("/repo"))
    assert args == [
        "/repo/images/demo/gemma4",
        "--served-model-name", "polydraft-demo",
        "--host", "127.0.0.1",
        "--port", "8102",
        "--dtype", "float32",
        "--enforce-eager",
        "--max-model-len", "2048",
        "--max-num-seqs", "16",
        "--kv-cache-memory-bytes", "134217728",
        "--no-enable-prefix-caching",
        "--disable-uvicorn-access-log",
        "--language-model-only",
        "--enable-per-request-metrics",
        "--per-request-spec-decode-metrics", "detailed",
        "--speculative-config",
        '{"method": "mtp", "model": "/repo/images/demo/gemma4-assistant", "num_speculative_tokens": 3}',
    ]  # fmt: skip


def test_engines_over_several_cards_say_so() -> None:
    args = engine_args(profiles.load_named("rtx-pro-2000-x4"), "body", HERE)
    assert option(args, "--tensor-parallel-size") == "4"
    assert "--disable-custom-all-reduce" in args
    assert engine_environment(profiles.load_named("rtx-pro-2000-x4"))["NCCL_P2P_DISABLE"] == "1"


@pytest.mark.parametrize(("profile", "engine"), ENGINES)
def test_only_engines_with_a_drafter_are_asked_what_it_achieved(profile: Profile, engine: str) -> None:
    """vLLM refuses to start when an engine without one is asked."""
    args = engine_args(profile, engine, HERE)
    drafts = "--speculative-config" in args or "--additional-config" in args
    assert ("--per-request-spec-decode-metrics" in args) == drafts
    assert drafts == (engine != "body")
    assert "--enable-per-request-metrics" in args


@pytest.mark.parametrize(("profile", "engine"), ENGINES)
def test_what_is_unresolved_is_left_to_vllm(profile: Profile, engine: str) -> None:
    assert "unresolved" not in " ".join(engine_args(profile, engine, HERE))


def test_one_engine_is_told_of_every_drafter_and_lane() -> None:
    gb10 = profiles.load_named("gb10")
    args = engine_args(gb10.model_copy(update={"body": "seed"}), "engine", HERE)
    assert "--speculative-config" not in args
    lanes = read_lanes(json.loads(option(args, "--additional-config")))
    assert lanes is not None
    assert {lane.name: lane.draft_tokens for lane in lanes.by_name.values()} == {"body": 0, "mtp": 4, "eagle3": 4}
    assert lanes.drafters["mtp"]["model"] == "google/gemma-4-26B-A4B-it-assistant"


def test_resolved_revisions_reach_vllm() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    read = [replace(pin, value=commit) if pin.kind == "models" else pin for pin in pins.load(ROOT / pins.PINS).all]
    args = engine_args(pins.pinned(profiles.load_named("gb10"), pins.Pins(tuple(read))), "engine", HERE)
    assert option(args, "--revision") == commit
    assert json.loads(option(args, "--additional-config"))["polydraft"]["drafters"]["mtp"]["revision"] == commit


@pytest.mark.parametrize("folder", ["/home/me/eagle3-tests", "/srv/Eagle-2", "/dflash"])
def test_a_folder_that_would_change_the_drafter_s_method_is_refused(folder: str) -> None:
    with pytest.raises(ConfigError, match=r"speculative-config.model: .* ignores method = 'mtp'; move the drafter"):
        engine_args(profiles.load_named("cpu"), "mtp", HERE, Path(folder))
    assert folder in engine_args(profiles.load_named("cpu"), "eagle3", HERE, Path(folder))[0]


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="use one of"):
        engine_args(profiles.load_named("cpu"), "medusa", HERE)


VALUES = (
    st.booleans()
    | st.integers()
    | st.text(min_size=1)
    | st.lists(st.integers(), min_size=1)
    | st.dictionaries(st.text(), st.integers())
)


@given(st.dictionaries(st.from_regex(r"x-[a-z]{1,8}", fullmatch=True), VALUES, max_size=5))
def test_every_flag_reaches_vllm_under_its_own_name(
    flags: dict[str, bool | int | str | list[int] | dict[str, int]],
) -> None:
    cpu = profiles.load_named("cpu")
    args = engine_args(cpu.model_copy(update={"flags": flags}), "body", HERE)
    for name, value in flags.items():
        if isinstance(value, bool):
            assert (f"--{name}" if value else f"--no-{name}") in args
        elif isinstance(value, dict):
            assert json.loads(option(args, f"--{name}")) == value
        else:
            start = args.index(f"--{name}") + 1
            words = value if isinstance(value, list) else [value]
            assert args[start : start + len(words)] == [str(word) for word in words]


PARSE = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for args in json.load(sys.stdin):
    validate_parsed_serve_args(parser.parse_args(args))
"""


def parse_with_vllm(commands: list[list[str]]) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [ROOT / ".venv-engine/bin/python", "-c", PARSE]
    return subprocess.run(command, input=json.dumps(commands), text=True, capture_output=True, timeout=300, check=False)


@pytest.mark.engine
def test_vllm_knows_every_flag_of_every_profile() -> None:
    loaded = [profiles.load_named(name) for name in profiles.names()]
    served = [profile.model_copy(update={"body": body}) for profile in loaded for body in profile.bodies]
    commands = [engine_args(profile, engine.name, HERE) for profile in served for engine in profile.served.engines]
    answer = parse_with_vllm(commands)
    assert answer.returncode == 0, answer.stderr[-2000:]


@pytest.mark.engine
def test_vllm_refuses_a_flag_that_it_does_not_know() -> None:
    """The test above can fail."""
    answer = parse_with_vllm([[*engine_args(profiles.load_named("cpu"), "body", HERE), "--enforce-eagre"]])
    assert answer.returncode != 0
    assert "--enforce-eagre" in answer.stderr
