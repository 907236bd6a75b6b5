"""Chooses among the engines of one lane, which all answer alike: where the least is to do, or the prefix is.

Pure: no clock, no I/O, no state. It never chooses a lane.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

_BALANCE = 1.25
"""Times the average number of requests that an engine may have and still keep its conversations. The c of consistent
hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, arXiv 1608.01350); HAProxy's manual advises the same."""

_64_BITS = 2**64 - 1


class Standing(NamedTuple):
    """An engine that is ready, by its base URL, and how many requests it works on or has waiting."""

    engine: str
    in_flight: int


@dataclass(frozen=True, slots=True)
class Bond:
    """What ties a request to an engine: the conversation that it goes on with, or where it has none, its own number.

    `holder` is the engine that read the conversation last; `held` are those that hold the stored response it is about.
    With `only` no other stands in for the one that is `held`, which the client named.
    """

    conversation: int | None = None
    request: int = 0
    holder: str | None = None
    held: frozenset[str] = frozenset()
    only: bool = False

    @property
    def key(self) -> int:
        """What chooses among engines that are equal otherwise."""
        return self.request if self.conversation is None else self.conversation


UNBOUND = Bond()


def pick(standings: Sequence[Standing], bond: Bond) -> str:
    """Choose one of at least one engine: one that holds the stored response, where one does; then the holder of the
    conversation's prefix, unless it has clearly more to do than the others; else the one with least in flight.

    Among equals the bond's key decides, so that every router chooses the same for a conversation.
    """
    among = [each for each in standings if each.engine in bond.held] or standings
    kept = next((each for each in among if each.engine == bond.holder), None)
    if kept and kept.in_flight < most(among):
        return kept.engine
    least = min(each.in_flight for each in among)
    idlest = [each.engine for each in among if each.in_flight == least]
    return idlest[0] if len(idlest) == 1 else max(idlest, key=lambda engine: _affinity(bond.key, engine))


def most(standings: Sequence[Standing]) -> int:
    """Give how many requests an engine may have, the next one included, to keep its conversations."""
    return math.ceil(_BALANCE * (sum(each.in_flight for each in standings) + 1) / len(standings))


def _affinity(key: int, engine: str) -> bytes:
    """Rank engines for a key (rendezvous hashing): one that goes or comes moves no key between the others."""
    return blake2b(engine.encode(), digest_size=8, key=(key & _64_BITS).to_bytes(8, "big")).digest()
