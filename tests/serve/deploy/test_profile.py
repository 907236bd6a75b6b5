import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve import settings
from serve.deploy import profile as profiles
from serve.deploy.engine_args import Address, engine_args
from serve.deploy.profile import Profile
from serve.errors import ConfigError

MEMORY = """\
memory = { weights-gib = 10.0, overhead-gib = 1.5, graphs-gib = 0.5, kv-sequence-gib = 0.5, source = "measured" }
"""
GOOD = """
summary = "a box"
body = "plain"

[flags]
max-model-len = 4096
kv-cache-memory-bytes = 1_073_741_824

[bodies.plain]
served-model-name = "model"
model = "org/model"
revision = "unresolved"
license = "apache-2.0"
MEMORY
lanes = [
  { name = "mtp", drafter-gib = 1.0, speculative-config = { method = "mtp", model = "org/drafter", \
revision = "unresolved", num_speculative_tokens = 4 } },
  { name = "body" },
]

[[bodies.plain.cells]]
language = "en"
task = "*"
source = "measured"
lanes = [{ lane = "mtp", acceptance-length = 2.5, decode-rate = 50.0 }, { lane = "body", decode-rate = 40.0 }]

[[bodies.plain.cells]]
language = "*"
task = "*"
source = "not measured"
lanes = [{ lane = "mtp" }, { lane = "body" }]

[env.NCCL_IB_DISABLE]
value = "1"
why = "one box"

[host]
accelerator = "nvidia"
hardware = "a card"
gpus = 1
memory = { gib = 32.0, total-gib = 33.0, reserve-gib = 2.0, source = "measured" }
gpu = { name = "A card", compute-capability = "12.0", driver = { version = "580.65", why = "CUDA 13" } }
""".replace("MEMORY\n", MEMORY)


def every_body() -> list[Any]:
    """Every body of every shipped profile, as the one that is served."""
    loaded = [profiles.load_named(name) for name in profiles.names()]
    return [
        pytest.param(profile.model_copy(update={"body": body}), id=f"{profile.name}-{body}")
        for profile in loaded
        for body in profile.bodies
    ]


def load(text: str, folder: Path) -> Profile:
    path = folder / "box.toml"
    path.write_text(text, encoding="utf-8")
    return profiles.load(path)


def test_a_profile_is_named_after_its_file(tmp_path: Path) -> None:
    assert load(GOOD, tmp_path).name == "box"


def test_the_shipped_profiles_are_the_boxes_and_two_comparisons() -> None:
    assert profiles.names() == [
        *("cpu", "gb10", "gb10-compare", "gb10-x2", "rtx-pro-2000", "rtx-pro-2000-x4", "rtx-pro-2000-x4-replicas"),
        *("rtx-pro-6000", "rtx-pro-6000-compare", "rtx-pro-6000-x2", "rtx-pro-6000-x4", "rtx-pro-6000-x8"),
    ]


SPEC = "bodies.plain.lanes.0.speculative-config"
BAD = {
    "not TOML": ("summary = ", "summary ", "isn't TOML"),
    "unknown field": ('body = "plain"', 'body = "plain"\nbudy = 1', "budy: isn't a field here; remove it"),
    "missing field": ('license = "apache-2.0"\n', "", "bodies.plain.license: is missing; add it"),
    "wrong type": ("gpus = 1", 'gpus = "one"', "host.gpus: .* 'one'; correct the value"),
    "unserved body": ('body = "plain"', 'body = "seed"', r"body: 'seed' isn't one of .* use one of \['plain'\]"),
    "named inside": ('body = "plain"', 'body = "plain"\nname = "x"', "name: isn't a field here; .*the file's name"),
    "branch as revision": (
        'revision = "unresolved"\nlicense',
        'revision = "main"\nlicense',
        "plain.revision: .*'main'",
    ),
    "lane twice": ('{ name = "body" }', '{ name = "body" }, { name = "body" }', "lanes: 'body' is defined twice"),
    "no body lane": ('  { name = "body" },\n', "", "exactly one must have no speculative-config"),
    "long lane name": ('{ name = "body" }', '{ name = "body-without-any" }', "lanes.1.name: .*at most 15"),
    "unknown method": ('method = "mtp"', 'method = "medusa"', f"{SPEC}.method: .*'medusa'"),
    "unknown key": ("tokens = 4", "tokens = 4, k = 2", f"{SPEC}.k: isn't a field"),
    "path overrides mtp": ("org/drafter", "org/eagle3-draft", f"{SPEC}: model: .*contains 'eagle3'.*move the drafter"),
    "path with eagle-": ("org/drafter", "org/Eagle-drafter", "contains 'eagle-'"),
    "slow lane first": ("decode-rate = 40.0", "decode-rate = 60.0", r"cells.0: lanes: 'body' \(60.0\) decodes faster"),
    "unknown lane": ('{ lane = "mtp" }, ', '{ lane = "eagle3" }, ', r"cells\[1\].lanes: 'eagle3' isn't a lane; use"),
    "lane left out": ('{ lane = "mtp" }, {', "{", r"cells\[1\].lanes: must rank each of"),
    "no last cell": ('language = "*"', 'language = "zh"', 'cells: the last must be language = "\\*"'),
    "cell twice": ('language = "*"', 'language = "en"', r"cells: \('en', '\*'\) stands there twice"),
    "no source": ('source = "not measured"', 'source = " "', "cells.1.source"),
    "unmeasured lane": (", acceptance-length = 2.5, decode-rate = 50.0", "", "bodies.plain.lanes: 'mtp' has no figure"),
    "reserved flag": ("max-model-len = 4096", "port = 1", "flags.port: isn't set here; remove it"),
    "no reason": ('why = "one box"', "", "env.NCCL_IB_DISABLE.why: is missing"),
    "number for a variable": ('value = "1"', "value = 1", "env.NCCL_IB_DISABLE.value: .*not 1; correct"),
    "too many ranks": ("gpus = 1", "gpus = 1\ntensor-parallel-size = 2", "tensor-parallel-size: 2 is more than the 1 "),
    "gpu without gpus": ("gpus = 1", "gpus = 0", "host: gpus: must be 0 for accelerator"),
    "card not stated": ('gpu = { name = "A card"', 'gpa = { name = "A card"', "host.gpa: isn't a field"),
    "driver without a reason": (', why = "CUDA 13"', "", "host.gpu.driver.why: is missing"),
    "too much memory": ("gib = 32.0", "gib = 28.0", "2 engines hold 27.0 GiB of 26.0 GiB .* set one-engine"),
    "infinite rate": ("decode-rate = 50.0", "decode-rate = inf", "cells.0.lanes.0.decode-rate: .*finite number"),
    "memory not stated": (MEMORY, "", "memory: is miss"),
}


@pytest.mark.parametrize(("old", "new", "problem"), BAD.values(), ids=BAD.keys())
def test_a_bad_profile_gives_one_line_that_names_the_field(old: str, new: str, problem: str, tmp_path: Path) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(GOOD.replace(old, new), tmp_path)
    line = str(caught.value)
    assert re.search(problem, line)
    assert "box.toml" in line
    assert "\n" not in line
    assert "pydantic" not in line


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document at which something stands."""
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


ANYTHING = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(place=st.sampled_from(places(tomllib.loads(GOOD))[1:]), value=ANYTHING)
def test_whatever_stands_anywhere_is_taken_or_refused_in_one_line(place: tuple[Any, ...], value: Any) -> None:
    document = tomllib.loads(GOOD)
    node = document
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    try:
        profile = profiles.check("box", document)
    except ConfigError as error:
        refusal = str(error)
    else:
        json.loads(profile.router_environment()["POLYDRAFT_TABLE"], parse_constant=pytest.fail)
        assert all(engine_args(profile, lane.name, Address("127.0.0.1", 1)) for lane in profile.served.lanes)
        return
    assert refusal.startswith("profile box.toml: ")
    assert len(refusal.splitlines()) == 1


@pytest.mark.parametrize("name", ["gb11", "../cpu", ""])
def test_an_unknown_profile_gives_one_line_that_lists_those_that_exist(name: str) -> None:
    with pytest.raises(ConfigError, match=r"rtx-pro-2000-x4.*") as caught:
        profiles.load_named(name)
    assert "\n" not in str(caught.value)


def test_an_unknown_lane_gives_one_line_that_lists_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'eagle3' here; use one of \['mtp', 'body'\]"):
        load(GOOD, tmp_path).served.lane("eagle3")


def test_a_lane_s_flags_win_over_the_body_s_and_those_over_the_profile_s(tmp_path: Path) -> None:
    lane_flags = GOOD.replace('{ name = "body" }', '{ name = "body", flags = { max-model-len = 1 } }')
    text = lane_flags.replace(
        'license = "apache-2.0"', 'license = "x"\nflags = { max-model-len = 2, max-num-seqs = 3 }'
    )
    profile = load(text, tmp_path)
    body = profile.served
    assert profile.engine_flags(body, body.engine("body"))["max-model-len"] == 1
    assert profile.engine_flags(body, body.engine("mtp"))["max-model-len"] == 2
    assert profile.engine_flags(body, body.engine("body")).keys() == {
        "max-model-len",
        "kv-cache-memory-bytes",
        "max-num-seqs",
    }


@pytest.mark.parametrize(
    ("cards", "planned"),
    [pytest.param(1, 14.0, id="one card: 10 + 1 + 2 + 1"), pytest.param(2, 8.5, id="two cards: (10 + 1) / 2 + 2 + 1")],
)
def test_weights_and_drafter_spread_over_the_cards_but_engine_and_kv_cache_do_not(
    cards: int, planned: float, tmp_path: Path
) -> None:
    profile = load(GOOD.replace("gpus = 1", f"gpus = {cards}\ntensor-parallel-size = {cards}"), tmp_path)
    assert profile.engine_gib(profile.served, profile.served.engine("mtp")) == planned


@pytest.mark.parametrize("profile", every_body())
def test_the_router_takes_what_a_profile_tells_it(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in profile.router_environment().items():
        monkeypatch.setenv(name, value)
    read = settings.read()
    body = profile.served
    assert read.model == body.served_model_name
    assert [lane.name for lane in read.lanes] == [lane.name for lane in body.lanes]
    assert [lane.drafts for lane in read.lanes] == [bool(lane.method) for lane in body.lanes]
    assert [row.language for row in read.table] == [cell.language for cell in body.cells]
    assert [c.decode_rate for row in read.table for c in row.candidates] == [
        c.decode_rate for cell in body.cells for c in cell.lanes
    ]


@pytest.mark.parametrize("profile", every_body())
def test_engines_have_ports_of_their_own(profile: Profile) -> None:
    ports = [profile.engine_port(engine.name) for engine in profile.served.engines]
    assert ports == list(range(8101, 8101 + len(ports)))


def test_one_engine_holds_the_body_once_and_every_drafter(tmp_path: Path) -> None:
    profile = load(GOOD.replace('license = "apache-2.0"', 'license = "x"\none-engine = true'), tmp_path)
    (engine,) = profile.served.engines
    assert engine.lanes == profile.served.lanes
    assert set(profile.upstreams().values()) == {"http://127.0.0.1:8101"}
    assert profile.engine_gib(profile.served, engine) == 10 + 1 + 2 + 1


@pytest.mark.parametrize("profile", every_body())
def test_no_lane_of_an_lfm2_body_claims_to_be_mtp(profile: Profile) -> None:
    """The one drafter published for LFM2.5 is named MTP and is an EAGLE-3 head."""
    if "LFM2" in profile.served.model:
        assert "mtp" not in {lane.method for lane in profile.served.lanes}


@pytest.mark.parametrize("name", profiles.names())
def test_the_body_served_by_default_is_the_vendor_s_own(name: str) -> None:
    assert "abliterated" not in profiles.load_named(name).served.model


def test_the_demo_s_models_are_in_the_repository() -> None:
    root = Path(__file__).resolve().parents[3]
    body = profiles.load_named("cpu").served
    drafters = [lane.speculative_config.model for lane in body.lanes if lane.speculative_config]
    for model in [body.model, *drafters]:
        assert (root / model / "config.json").is_file(), model
