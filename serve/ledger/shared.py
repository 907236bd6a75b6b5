"""The ledger that several routers share, in Redis or Valkey: each adds what it has learned, and reads what all have.

Nothing is overwritten but by a router that has noticed a change of a lane, and only if nobody else noticed it before. A
server that is away, or comes back empty, costs nothing but the sharing; the routers go on by what they know.
"""

import asyncio
import json
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from serve.errors import ConfigError
from serve.ledger.sums import Fields, Scale, Unsound, lane_of, read, written
from serve.routing.ledger import Ledger

if TYPE_CHECKING:
    from redis.asyncio import Redis

LOGGER = logging.getLogger(__name__)

SCHEMES = ("redis", "rediss", "valkey", "valkeys")

_REBASE = 64.0
"""Half-lives after which sums are written anew: they grow by half as many digits as there are bits in that."""
_PATIENCE = 2.0  # seconds that the server may take for anything
_ROUNDS = 3  # of one exchange: a server that was empty, or another router that had just begun

_SCRIPT = """
local function all()
  local born = redis.call('HGET', KEYS[1], 'born')
  return {born, redis.call('HGETALL', KEYS[1])}
end
local born = redis.call('HGET', KEYS[1], 'born')
if born and born == ARGV[2] and ARGV[4] == 'anew' then
  redis.call('DEL', KEYS[1])
  born = false
end
if not born then
  redis.call('HSET', KEYS[1], 'born', ARGV[1], 'half_life', ARGV[3])
  return all()
end
if born ~= ARGV[2] then return all() end
for lane, group in pairs(cjson.decode(ARGV[5])) do
  local epoch = 'epoch ' .. lane
  if (redis.call('HGET', KEYS[1], epoch) or '0') == group.epoch then
    for name, delta in pairs(group.sums) do redis.call('HINCRBYFLOAT', KEYS[1], name, delta) end
    if group.drifted then redis.call('HINCRBY', KEYS[1], epoch, 1) end
  end
end
redis.call('HSET', KEYS[1], 'turn ' .. ARGV[6], ARGV[7])
return all()
"""
"""Adds sums in one go, but for lanes that another router has corrected since; gives all sums.

KEYS: the ledger's hash. ARGV: the birth to begin with, the one that is known, the half-life, `anew` to begin again, a
JSON object of lanes with `epoch`, `drifted` and `sums`, the router, and the number of its turn.
"""


class Unequal(Exception):
    """The routers that share it have different settings."""


def is_shared(place: str) -> bool:
    """Tell whether a ledger's place is a server's URL; anything else is a file."""
    return urlsplit(place).scheme in SCHEMES


def connected(url: str) -> "Redis":
    """Make a client; connects when it is used. Raises ConfigError without the extra, or for a URL of no use."""
    try:
        from redis.asyncio import Redis
    except ImportError:
        raise ConfigError("POLYDRAFT_LEDGER is a server's URL: install polydraft[redis]") from None
    try:
        client: Redis = Redis.from_url(
            url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
            decode_responses=True,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
        )
    except ValueError as error:
        raise ConfigError(f"POLYDRAFT_LEDGER: the server's URL can't be read ({error}).") from None
    return client


class Shared:
    """One router's side of the exchange."""

    def __init__(self, server: "Redis", ledger: Ledger, model: str, half_life: float) -> None:
        self._server, self._ledger = server, ledger
        self._key = f"polydraft:ledger:1:{model}"
        self._half_life = half_life
        self._born = ""
        self._scale = Scale(0.0, half_life)
        self._base: Fields = {}
        self._epochs: dict[str, str] = {}
        self._name, self._turn = secrets.token_hex(8), 0
        self._unsure: Fields | None = None

    async def exchange(self, now: float) -> None:
        """Add what was learned since the last time, and take over what all have learned.

        Raises what the client does while the server is away, Unsound if what it has isn't a ledger's, and Unequal.
        """
        for _ in range(_ROUNDS):
            await self._make_sure()
            here, drifted = written(self._ledger.state(), self._scale), set(self._ledger.drifted)
            learned = self._since_then(here)
            proposed = f"{now!r} {secrets.token_hex(8)}"
            self._turn, self._unsure = self._turn + 1, learned
            born, found = await self._call(proposed, now, self._groups(learned, drifted))
            self._unsure = None
            if born == self._born:
                self._ledger.drifted -= drifted
                return self._adopt(found, here, now)
            self._turn_to(born, found, ours=born == proposed)
        raise Unsound("it is begun anew again and again")

    async def _make_sure(self) -> None:
        """Ask whether what was sent the last time has come, if no answer has: nothing must be added twice."""
        if self._unsure is None:
            return
        found = await self._server.hgetall(self._key)
        if found.get("born") == self._born and found.get(f"turn {self._name}") == str(self._turn):
            for name, delta in self._unsure.items():
                self._base[name] = self._base.get(name, 0.0) + delta
        self._unsure = None

    async def _call(self, proposed: str, now: float, groups: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """Run the script; gives when the sums were begun, and all of them."""
        anew = "anew" if self._born and self._scale.age(now) > _REBASE else ""
        told = (proposed, self._born, repr(self._half_life), anew, json.dumps(groups), self._name, str(self._turn))
        born, flat = await self._server.eval(_SCRIPT, 1, self._key, *told)
        return born, dict(zip(flat[::2], flat[1::2], strict=True))

    def _since_then(self, here: Fields) -> Fields:
        base = self._base
        changes = {name: here.get(name, 0.0) - base.get(name, 0.0) for name in here.keys() | base.keys()}
        return {name: delta for name, delta in changes.items() if delta}

    def _groups(self, learned: Fields, drifted: set[str]) -> dict[str, dict[str, Any]]:
        sums: dict[str, dict[str, str]] = defaultdict(dict)
        for name, delta in learned.items():
            sums[lane_of(name)][name] = f"{delta:.17f}"
        return {
            lane: {"epoch": self._epochs.get(lane, "0"), "drifted": lane in drifted, "sums": deltas}
            for lane, deltas in sums.items()
        }

    def _turn_to(self, born: str, found: Mapping[str, str], *, ours: bool) -> None:
        """Go on with sums that were begun at another time; if it was us who began them, with all that is known."""
        try:
            since, half_life = float(born.partition(" ")[0]), float(found["half_life"])
        except (KeyError, ValueError):
            raise Unsound("it doesn't say when it was begun") from None
        if half_life != self._half_life:
            raise Unequal(f"its half-life is {half_life:g} s; give every router the same POLYDRAFT_HALF_LIFE")
        scale = Scale(since, self._half_life)
        factor = scale.at(self._scale.since) if self._born else 0.0
        self._base = {} if ours else {name: value * factor for name, value in self._base.items()}
        self._born, self._scale = born, scale
        self._epochs = _epochs(found)

    def _adopt(self, found: Mapping[str, str], sent: Fields, now: float) -> None:
        """Take over all sums, and what was learned here while they were fetched."""
        sums = {name: _number(value) for name, value in found.items() if name.startswith("[")}
        epochs = _epochs(found)
        moved = {lane for lane, epoch in epochs.items() if epoch != self._epochs.get(lane, "0")}
        meanwhile = written(self._ledger.state(), self._scale)
        both = {
            name: sums.get(name, 0.0) + meanwhile.get(name, 0.0) - sent.get(name, 0.0)
            for name in sums.keys() | meanwhile.keys()
        }
        self._ledger.adopt(read(both, self._scale, now), moved)
        rounded = written(self._ledger.state(), self._scale)
        self._base = {name: value - both.get(name, 0.0) + sums.get(name, 0.0) for name, value in rounded.items()}
        self._epochs = epochs

    async def set_aside(self) -> None:
        """Put away what can't be gone on from; whoever comes next begins anew, as before a server that is empty.

        What this router has given stays noted: if another begins anew, it gives that too, and it must count once.
        """
        await self._server.rename(self._key, f"{self._key}:aside-{time.time_ns()}")
        self._unsure = None

    async def close(self) -> None:
        """Give the connection back."""
        await self._server.aclose()


async def share(shared: Shared, clock: Callable[[], float], interval: float) -> None:
    """Exchange every `interval` seconds until cancelled, and once more then; says when that fails, and works again."""
    said = ""
    try:
        while True:
            said = await _tried(shared, clock(), said)
            await asyncio.sleep(interval)
    finally:
        await asyncio.shield(_last(shared, clock(), said))


async def _last(shared: Shared, now: float, said: str) -> None:
    await _tried(shared, now, said)
    await shared.close()


async def _tried(shared: Shared, now: float, said: str) -> str:
    from redis.exceptions import RedisError, ResponseError

    try:
        await shared.exchange(now)
    except (Unsound, ResponseError) as error:
        if not _is_damage(error):
            return _away(error, said)
        try:
            await shared.set_aside()
            LOGGER.warning("the shared ledger couldn't be gone on from (%s); it was set aside", error)
        except (RedisError, OSError) as failure:
            return _away(failure, said)
    except (RedisError, OSError, Unequal) as error:
        return _away(error, said)
    if said:
        LOGGER.warning("the shared ledger can be used again")
    return ""


def _is_damage(error: Exception) -> bool:
    """Tell what is wrong with the sums from what a server refuses for a while: a full disk, memory, or a replica."""
    return isinstance(error, Unsound) or any(text in str(error) for text in _DAMAGED)


_DAMAGED = ("WRONGTYPE", "hash value is not a", "would produce NaN or Infinity", "would overflow")
"""How Redis and Valkey say that a key is no hash, or that nothing can be added to what it holds."""


def _away(error: Exception, said: str) -> str:
    text = (
        str(error) if isinstance(error, Unequal) else type(error).__name__
    )  # which may name the URL, with its password
    if said != text:
        LOGGER.warning("the shared ledger can't be used (%s); this router learns for itself until it can", text)
    return text


def _epochs(found: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("epoch "): value for name, value in found.items() if name.startswith("epoch ")}


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise Unsound(f"{value[:40]!r} isn't a number") from None
