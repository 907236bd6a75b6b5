"""Plans memory before anything starts: what a profile's engines hold against what is free, and what to change if it
doesn't fit.

Pure: profile and free memory in, plan out. Where accelerators share their memory with the operating system, an engine
that overruns it takes the machine down with it, so a plan that is refused is never started "to see".
"""

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from serve.deploy.body import Body, Engine
from serve.deploy.box import HostMemory
from serve.deploy.machine import Card, cards, ram, within_limit
from serve.deploy.placement import placed
from serve.deploy.profile import Profile
from serve.deploy.reading import Reading
from serve.errors import ConfigError

_BATCH = 8192
"""Batched tokens up to which `start-gib` is taken as it stands. What profiling allocates grows with them: beyond, it is
reckoned in proportion, which nobody has measured, and which refuses the one published freeze with more."""
_STEP = 2**28
"""Bytes to which a KV cache is rounded in a fix: 256 MiB."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One accelerator's memory in GiB, and whose word that is; of several, the fullest one's.

    `each` has what is free of every accelerator that has memory of its own, and its total.
    """

    total: float
    free: float
    source: str
    each: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a profile's engines hold of a pool, in GiB an accelerator; `problem` and `fix` are empty if it fits."""

    profile: Profile
    pool: Pool
    engines: dict[str, dict[str, float]]
    start: float
    problem: str = ""
    fix: str = ""

    @property
    def held(self) -> float:
        """What all engines hold together once they serve."""
        return sum(sum(parts.values()) for parts in self.engines.values())

    @property
    def peak(self) -> float:
        """What is held while the last engine starts."""
        return self.held + self.start

    @property
    def offered(self) -> float:
        """What engines may hold: the free memory less the reserve."""
        return self.pool.free - _memory(self.profile).reserve_gib


def idle(profile: Profile) -> Pool:
    """Return what a box of this kind offers when nothing runs on it, as its profile states it."""
    memory = _memory(profile)
    return Pool(memory.total_gib, memory.gib, "an idle box, as the profile states it")


def free(profile: Profile, reading: Reading, gpus: int | None = None) -> Pool:
    """Return what this very machine offers now; raises ConfigError if it isn't a box of the profile's kind.

    `gpus` is how many of them are there for one copy of the engines, where that isn't the whole box.
    """
    host, found, seen = profile.host, ram(reading), cards(reading)
    count = gpus or host.gpus
    remedy = "run it on that box, or plan for an idle one with --idle"
    if host.gpu is not None:
        fitting = fitting_cards(profile, seen, count)
        if not fitting:
            names = ", ".join(card.name for card in seen) or "no NVIDIA GPU"
            raise ConfigError(f"{profile.name} needs {count}x {host.gpu.name}, here is {names}; {remedy}")
        if not host.unified_memory:
            sizes = [(card.free, card.total) for card in fitting if card.free is not None and card.total is not None]
            if len(sizes) < count:
                raise ConfigError(f"nvidia-smi doesn't say how much memory the cards have; {remedy}")
            return _fullest(sizes, "the fullest card, by nvidia-smi" if count > 1 else "the card, by nvidia-smi")
    if found is None:
        raise ConfigError(f"/proc/meminfo can't be read; {remedy}")
    if host.accelerator == "cpu":
        # `polydraft up` starts those in this very container. Elsewhere engines have containers of their own, and this
        # one's limit is the plan's alone.
        found = within_limit(found, reading)
    return Pool(found.total, found.available, "what the container's limit leaves" if found.limited else "MemAvailable")


def with_running(profile: Profile, pool: Pool, running: Collection[str]) -> Pool:
    """Return the pool as it would be without the profile's own engines that run already, which hold what is planned.

    Raises ConfigError for an engine that the profile doesn't have.
    """
    body = profile.served
    known = {each.name: each for each in placed(profile)}
    for name in sorted(set(running) - known.keys()):
        raise ConfigError(f"engine: no {name!r} here; use one of {list(known)}")
    if not running:
        return pool
    held = [(known[name].gpus, profile.engine_gib(body, known[name].engine)) for name in running]
    source = f"{pool.source}, and what {', '.join(running)} holds already"
    if not pool.each:
        return Pool(pool.total, pool.free + sum(gib for _, gib in held), source)
    given_back = [sum(gib for gpus, gib in held if not gpus or index in gpus) for index in range(len(pool.each))]
    sizes = [(free + back, total) for (free, total), back in zip(pool.each, given_back, strict=True)]
    return _fullest(sizes, source)


def _fullest(sizes: Sequence[tuple[float, float]], source: str) -> Pool:
    least, total = min(sizes)
    return Pool(total, least, source, tuple(sizes))


def fitting_cards(profile: Profile, seen: Sequence[Card], gpus: int | None = None) -> list[Card]:
    """Return the cards that the profile's containers get, the machine's first ones; none if they aren't its kind."""
    count = gpus or profile.host.gpus
    first = list(seen[:count])
    wanted = profile.host.gpu
    right = wanted is not None and all(card.name.startswith(wanted.name) for card in first)
    return first if right and len(first) == count else []


def planned(profile: Profile, upstreams: Mapping[str, str | tuple[str, ...]]) -> str:
    """Write what each engine is planned to hold on an accelerator, in GiB, as the router's settings take it.

    `upstreams` has the base URLs of each lane's engines.
    """
    held: dict[str, float] = {}
    for lane, urls in upstreams.items():
        gib = round(profile.engine_gib(profile.served, profile.served.engine_of(lane)), 2)
        held |= dict.fromkeys((urls,) if isinstance(urls, str) else urls, gib)
    return json.dumps(held)


def plan(profile: Profile, pool: Pool) -> Plan:
    """Plan the served body's engines in a pool; a plan that doesn't fit names the problem and the shortest fix."""
    made = _plan(profile, pool)
    problem = _problem(made)
    return made if not problem else _plan(profile, pool, problem, _fix(made))


def _plan(profile: Profile, pool: Pool, problem: str = "", fix: str = "") -> Plan:
    body = profile.served
    engines = {engine.name: profile.parts(body, engine) for engine in profile.sharing(body)}
    batched = max(_number(profile, body, engine, "max-num-batched-tokens", _BATCH) for engine in profile.sharing(body))
    start = _memory(profile).start_gib * max(1.0, batched / _BATCH)
    return Plan(profile, pool, engines, start, problem, fix)


def _problem(made: Plan) -> str:
    """Say what doesn't fit, empty if everything does."""
    if made.peak > made.offered:
        start = f" and {made.start:.1f} GiB more while the last one starts" if made.start else ""
        return (
            f"{_count(len(made.engines), 'engine')} would hold {made.held:.1f} GiB{start}, "
            f"of {made.offered:.1f} GiB that may be held"
        )
    need = _sequence(made.profile, made.profile.served)
    for name, parts in made.engines.items():
        if parts["KV cache"] < need:
            return f"engine {name} has no room for one sequence of max-model-len tokens ({need:.2f} GiB)"
    for name, asked, left in _asked(made):
        if asked > left:
            return (
                f"engine {name} wouldn't start: vLLM wants gpu-memory-utilization x {made.pool.total:.1f} GiB = "
                f"{asked:.1f} GiB to be free then, and {left:.1f} GiB are"
            )
    return ""


def _asked(made: Plan) -> Iterator[tuple[str, float, float]]:
    """For each engine in the order of their starts: what vLLM checks to be free, and what the ones before it leave."""
    profile, left = made.profile, made.pool.free
    for engine in profile.sharing(profile.served) if profile.host.accelerator != "cpu" else ():
        yield engine.name, profile.utilization(profile.served, engine) * made.pool.total, left
        left -= sum(made.engines[engine.name].values())


def _fix(made: Plan) -> str:
    """Return the shortest change that makes it fit: first what needs no other profile, then single changes to it."""
    rest = idle(made.profile)
    if made.pool.free < rest.free and not _problem(_plan(made.profile, rest)):
        missing = max(made.peak - made.offered, *(asked - left for _, asked, left in _asked(made)), 0.1)
        names = f"`polydraft doctor {made.profile.name}`: other tenants"
        return f"free {missing:.1f} GiB: stop what else holds memory ({names})"
    for says, body in _changes(made):
        profile = made.profile.model_copy(update={"bodies": made.profile.bodies | {made.profile.body: body}})
        if not _problem(_plan(profile, made.pool)):
            return says
    return "take a smaller body or a box with more memory"


def _changes(made: Plan) -> Iterator[tuple[str, Body]]:
    """Every single change to the body that gives memory back, the least intrusive first."""
    profile, body = made.profile, made.profile.served
    number = int(_number(profile, body, body.engines[0], "max-num-batched-tokens", _BATCH))
    if number > _BATCH and made.start:
        yield f"set max-num-batched-tokens = {_BATCH}", _with(body, {"max-num-batched-tokens": _BATCH})
    kv = sum(parts["KV cache"] for parts in made.engines.values())
    spare = (made.offered - made.peak + kv) / len(made.engines)
    size = math.floor(spare * 2**30 / _STEP) * _STEP
    if size / 2**30 >= _sequence(profile, body):
        says = f"set kv-cache-memory-bytes = {size} ({size / 2**30:.2f} GiB an engine)"
        yield says, _with(body, {"kv-cache-memory-bytes": size})
    share = math.floor(100 * min((left for _, _, left in _asked(made)), default=0.0) / made.pool.total) / 100
    if share > 0:
        yield f"set gpu-memory-utilization = {share}", _with(body, {"gpu-memory-utilization": share})
    if len(profile.sharing(body)) > 1:
        yield "set one-engine = true", body.model_copy(update={"one_engine": True})
    drafting = [lane.name for lane in body.lanes if lane.method]
    for count in range(1, len(drafting) + 1):
        kept = tuple(lane for lane in body.lanes if lane.name not in drafting[-count:])
        yield f"leave out {_lanes(drafting[-count:])}", body.model_copy(update={"lanes": kept})


def _with(body: Body, flags: dict[str, int | float]) -> Body:
    lanes = tuple(lane.model_copy(update={"flags": lane.flags | (flags if lane.flags else {})}) for lane in body.lanes)
    return body.model_copy(update={"flags": body.flags | flags, "lanes": lanes})


def table(made: Plan) -> str:
    """Write a plan as a table: a row a part, a column an engine, GiB."""
    names = list(made.engines)
    parts = list(dict.fromkeys(part for held in made.engines.values() for part in held))
    rows = [["GiB", *names]]
    rows += [[part, *(_cell(held.get(part)) for held in made.engines.values())] for part in parts]
    rows += [["engine", *(_cell(sum(held.values())) for held in made.engines.values())]]
    body, sequence = made.profile.served, _sequence(made.profile, made.profile.served)
    fits = [str(math.floor(held["KV cache"] / sequence)) for held in made.engines.values()]
    rows += [["full-length sequences", *fits]]
    host = made.profile.host
    across = f" on each of {host.gpus} GPUs" if host.gpus > 1 else ""
    across += f" on each of {host.boxes} boxes" if host.boxes > 1 else ""
    lines = [f"{made.profile.name}: {body.model}, {_count(len(names), 'engine')}{across}", "", *_aligned(rows), ""]
    sums = [["engines", _cell(made.held)]]
    sums += [["and while the last one starts", _cell(made.start)]] if made.start else []
    sums += [["reserve", _cell(_memory(made.profile).reserve_gib)], ["free", _cell(made.pool.free)]]
    lines += _aligned(sums)
    lines[-1] += f"  ({made.pool.source}; {made.pool.total:.1f} in all)"
    verdict = f"fits, with {made.offered - made.peak:.1f} GiB to spare" if not made.problem else _refusal(made)
    return "\n".join([*lines, "", verdict])


def _refusal(made: Plan) -> str:
    return f"doesn't fit: {made.problem}\nfix: {made.fix}"


def check(made: Plan) -> None:
    """Raise ConfigError, in one line, for a plan that doesn't fit."""
    if made.problem:
        raise ConfigError(f"{made.profile.name} doesn't fit: {made.problem} ({made.pool.source}); {made.fix}")


def _memory(profile: Profile) -> HostMemory:
    if profile.host.memory is None:
        raise ConfigError(f"profile {profile.name}.toml: host.memory: is missing; state it, with its source")
    return profile.host.memory


def _sequence(profile: Profile, body: Body) -> float:
    """KV cache of one full-length sequence on one accelerator, in GiB."""
    if body.memory is None:
        raise ConfigError(f"profile {profile.name}.toml: bodies.{profile.body}.memory: is missing; state it")
    return body.memory.kv_sequence_gib / profile.host.tensor_parallel_size


def _number(profile: Profile, body: Body, engine: Engine, flag: str, default: float) -> float:
    stated = profile.engine_flags(body, engine).get(flag, default)
    return float(stated) if isinstance(stated, (int, float)) else default


def _cell(gib: float | None) -> str:
    return "" if gib is None else f"{gib:.2f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = [[row[0].ljust(widths[0]), *(row[at].rjust(widths[at]) for at in range(1, len(row)))] for row in rows]
    return ["  ".join(row).rstrip() for row in padded]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _lanes(names: list[str]) -> str:
    return f"lane {names[0]}" if len(names) == 1 else f"lanes {', '.join(names)}"
