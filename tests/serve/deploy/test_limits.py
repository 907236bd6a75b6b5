"""What one engine may take of the system's memory, held against the plan and the box."""

import pytest

from serve.deploy import limits, memory
from serve.deploy import profile as profiles
from serve.deploy.profile import Profile
from serve.errors import ConfigError

UNIFIED = [each for each in map(profiles.load_named, profiles.names()) if each.host.unified_memory]
each_unified = pytest.mark.parametrize("box", UNIFIED, ids=lambda box: box.name)


def known(number: float | None) -> float:
    assert number is not None
    return number


def test_on_a_spark_they_are_the_plan_s() -> None:
    box = profiles.load_named("gb10")
    assert known(limits.start_gib(box, "engine")) == pytest.approx(41.8 + 22.7 + 10.0)
    assert limits.start_environment(box, "engine") == {"POLYDRAFT_START_GIB": "74.5"}
    assert limits.request_gib(box, "engine") == 65
    assert limits.cap_gib(box, "engine") == 72


@each_unified
def test_an_engine_is_started_wherever_the_plan_lets_it_be(box: Profile) -> None:
    """Where the plan just fits, each engine in its turn finds what it wants to be available."""
    made = memory.plan(box, memory.idle(box))
    assert box.host.memory is not None
    left = made.peak + box.host.memory.reserve_gib
    for engine in box.served.engines:
        assert known(limits.start_gib(box, engine.name)) <= left + 1e-9
        left -= box.engine_gib(box.served, engine)


@each_unified
def test_a_box_has_what_its_engines_ask_for_and_none_outgrows_it(box: Profile) -> None:
    host = box.host.memory
    assert host is not None
    names = [engine.name for engine in box.served.engines]
    asked = {name: known(limits.request_gib(box, name)) for name in names}
    assert sum(asked.values()) <= host.gib - host.reserve_gib
    peak = memory.plan(box, memory.idle(box)).start
    for name in names:
        cap, held = known(limits.cap_gib(box, name)), box.engine_gib(box.served, box.served.engine(name))
        others = sum(box.engine_gib(box.served, each) for each in box.served.engines if each.name != name)
        assert asked[name] <= cap <= host.gib - host.reserve_gib - others
        assert held + peak <= cap, "a start as planned isn't killed"


@pytest.mark.parametrize(
    ("name", "asked", "cap"),
    [("rtx-pro-2000-x4", 8, 32), ("rtx-pro-2000-x4-replicas", 8, 24), ("rtx-pro-6000", 8, 64), ("cpu", None, None)],
)
def test_elsewhere_the_profile_states_them_or_there_are_none(name: str, asked: int | None, cap: int | None) -> None:
    box = profiles.load_named(name)
    engine = box.served.engines[0].name
    assert (limits.request_gib(box, engine), limits.cap_gib(box, engine)) == (asked, cap)
    assert limits.start_environment(box, engine) == {}


def test_on_unified_memory_nothing_is_stated_that_follows() -> None:
    document = profiles.load_named("gb10").model_dump(by_alias=True, exclude_none=True, exclude={"name"})
    document["host"]["engine-memory"] = {"request-gib": 8, "limit-gib": 24, "source": "a guess"}
    with pytest.raises(ConfigError, match="engine-memory: follows from the plan"):
        profiles.check("gb10", document)
