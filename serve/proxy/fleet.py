"""Every lane's engines: which of them are ready, and which takes a request. Chooses no lane, and sends nothing."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

from serve.errors import WHEN_READY, LaneNotReady, UnknownEngine
from serve.proxy.upstream import Upstream
from serve.routing import replicas
from serve.routing.holders import Holders
from serve.routing.lane import Lane, engine_name
from serve.routing.prefix import prefix_of
from serve.routing.replicas import UNBOUND, Bond, Standing

ENGINE_HEADER = "x-polydraft-engine"
"""The header by which a client forces one of the forced lane's engines."""

Ready = dict[str, str]
"""The lanes that are ready, each with the base URL of the engine that it would take now."""


class Fleet:
    """The engines of all lanes; lanes may share engines, and a lane may have several."""

    def __init__(self, lanes: Sequence[Lane], upstreams: Mapping[str, Upstream], holders: Holders) -> None:
        self.upstreams = upstreams
        self._holders = holders
        served = Counter(url for lane in lanes for url in lane.engines)
        self.shared = frozenset(url for url, count in served.items() if count > 1)
        self.engines = {lane.name: tuple(upstreams[url] for url in lane.engines) for lane in lanes}
        self._several = any(len(engines) > 1 for engines in self.engines.values())

    def holding(self, engines: Collection[str]) -> frozenset[str]:
        """Name the lanes that have one of these engines."""
        if not engines:
            return frozenset()
        return frozenset(lane for lane, own in self.engines.items() if any(each.url in engines for each in own))

    def bond(self, payload: Mapping[str, Any] | None, request_id: str, held: frozenset[str] = frozenset()) -> Bond:
        """Say what ties a request to an engine, if there is any lane where it matters."""
        if not self._several:
            return UNBOUND
        prefix = prefix_of(payload) if payload else None
        conversation = prefix.conversation if prefix else None
        holder = None if conversation is None else self._holders.of(conversation)
        return Bond(conversation, crc32(request_id.encode()), holder, held)

    def follow(self, bond: Bond, engine: str) -> None:
        """Note that a request goes to an engine, which will then hold its conversation's prefix."""
        if bond.conversation is not None:
            self._holders.follow(bond.conversation, engine)

    def ready(self, bond: Bond = UNBOUND) -> Ready:
        """Name the lanes of which an engine is ready, each with the one that would take the request."""
        if not self._several:
            return {lane: engine.url for lane, (engine,) in self.engines.items() if engine.ready}
        chosen: dict[tuple[Upstream, ...], str | None] = {}
        found: Ready = {}
        for lane, engines in self.engines.items():
            if engines not in chosen:
                chosen[engines] = _pick(engines, bond)
            if engine := chosen[engines]:
                found[lane] = engine
        return found

    def named(self, lane: str | None, engine: str) -> str:
        """Return the base URL of a forced lane's engine by its name, which is its host and port, if it is ready.

        Raises UnknownEngine or LaneNotReady.
        """
        known = {engine_name(each.url): each for each in self.engines.get(lane or "", ())}
        if engine not in known:
            there = f"they are {', '.join(known)}" if known else "force the lane too, by `x-polydraft-lane`"
            raise UnknownEngine(f"There is no engine {engine[:128]!r} of that lane; {there}.", param=ENGINE_HEADER)
        if not known[engine].ready:
            raise LaneNotReady(f"Engine {engine} of lane {lane} isn't ready. {WHEN_READY}")
        return known[engine].url

    def tries(self, lane: str, first: str, *, only: bool = False) -> Iterator[Upstream]:
        """Give the engines of a lane to try one after another: the chosen one, then what is ready when it is asked."""
        yield self.upstreams[first]
        left = [each for each in self.engines[lane] if each.url != first and not only]
        while engine := _pick(left, UNBOUND):
            yield self.upstreams[engine]
            left = [each for each in left if each.url != engine]


def _pick(engines: Sequence[Upstream], bond: Bond) -> str | None:
    """Choose among the engines that are ready; None if none is."""
    standings = [Standing(each.url, each.in_flight) for each in engines if each.ready]
    return replicas.pick(standings, bond) if standings else None
