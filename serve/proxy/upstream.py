"""One engine as the router sees it: is it up, and how a request is sent to it. Probes are none of its requests."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from serve.errors import EngineErred, EngineFailed, EngineSilent, EngineUnreachable
from serve.proxy import vllm
from serve.proxy.breaker import Breaker
from serve.proxy.connection import Patience, Receiver
from serve.proxy.fingerprint import Fingerprint
from serve.proxy.pool import Pool
from serve.proxy.slots import Slots

LOGGER = logging.getLogger(__name__)

_UNANSWERED_PROBES = 3
_START = 5.0
"""Seconds below which no engine loads a model: one that was away for less wasn't started anew."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that an engine may take.

    `connect`: to take a connection; `first_byte`: for the first of a stream; `silence`: between two bytes of it;
    `whole`: for an answer that isn't streamed; `probe`: for a probe's answer; `probe_interval`: between two probes.
    """

    connect: float
    first_byte: float
    silence: float
    whole: float
    probe: float
    probe_interval: float


class Upstream:
    """One engine: its base URL, whether it may be used now, and its vLLM version and context once it said so.

    `met` is whether it was ever up since the router started: one that wasn't may still load.
    """

    def __init__(
        self,
        url: str,
        client: aiohttp.ClientSession,
        timeouts: Timeouts,
        slots: Slots,
        breaker: Breaker,
        credentials: Mapping[str, str],
    ) -> None:
        self.url = url
        self.healthy = False
        self.met = False
        self.version: str | None = None
        self.max_model_len: int | None = None
        self.fingerprint = Fingerprint()
        self._unanswered = 0
        self.slots = slots
        self._client = client
        self._timeouts = timeouts
        self._streams = Patience(timeouts.first_byte, timeouts.silence)
        self._whole = Patience(timeouts.whole, timeouts.silence)
        self._breaker = breaker
        self._pool = Pool(url, timeouts.connect, dict(client.headers))
        self._clock = asyncio.get_running_loop().time

    def __repr__(self) -> str:
        return f"<Upstream {self.url} {'ready' if self.ready else 'not ready'}>"

    @property
    def ready(self) -> bool:
        """Whether requests may go there: its health check passes, and it didn't keep failing just now."""
        return self.healthy and self._breaker.permits(self._clock())

    @property
    def in_flight(self) -> int:
        """How many requests it works on, has waiting, or is about to get."""
        return self.slots.running + self.slots.waiting + self.slots.promised

    @property
    def left_alone(self) -> bool:
        """Whether it kept failing, so that it only gets a request now and then to try it."""
        return self._breaker.open

    async def send(
        self,
        method: str,
        path: str,
        payload: bytes | None,
        headers: Mapping[str, str],
        receiver: Receiver,
        *,
        streamed: bool,
    ) -> None:
        """Send a request and return when its answer went to the receiver; cancelling aborts it in vLLM.

        A whole answer's first byte comes when all is generated, so it has a limit of its own. Raises EngineUnreachable,
        EngineSilent or EngineFailed, or what the receiver returned; a refused connection also marks the engine as not
        ready, so that the next request needn't find out for itself.
        """
        patience = self._streams if streamed else self._whole
        request = self._pool.request(method, path, payload, headers)
        self._breaker.started(self._clock())
        try:
            await self._pool.exchange(request, receiver, patience)
        except EngineErred:  # the request may be to blame; `erred` is told if it wasn't
            raise
        except (EngineFailed, EngineSilent) as error:
            self._breaker.failed(self._clock())
            self.healthy = self.healthy and not isinstance(error, EngineUnreachable)
            raise
        self._breaker.succeeded()

    def erred(self) -> None:
        """Count an error that the engine answered with, now that the request wasn't what caused it."""
        self._breaker.failed(self._clock())

    def close(self) -> None:
        """Close the connections that requests went over."""
        self._pool.close()

    async def watch(self, returned: Callable[[str], None]) -> None:
        """Probe the engine until cancelled; says when it has been started, or may have been before the router was."""
        away: float | None = -math.inf
        while True:
            if away is None and not self.healthy:  # a request may have found that out
                away = self._clock()
            await self._probe()
            if self.healthy and away is not None:
                if self._clock() - away >= _START:
                    returned(self.url)
                away = None
            await asyncio.sleep(self._timeouts.probe_interval)

    async def _probe(self) -> None:
        """Ask how the engine is; a busy one may leave a few probes unanswered and still be up."""
        try:
            healthy = await self._healthy()
        except Exception:
            LOGGER.exception("probing %s failed", self.url)
            healthy = False
        self._unanswered = self._unanswered + 1 if healthy is None else 0
        if healthy is not None or self._unanswered >= _UNANSWERED_PROBES:
            self.healthy = bool(healthy)
            self.met = self.met or self.healthy
        if not self.healthy:
            self.fingerprint = Fingerprint()  # the next start may have other flags, or be another vLLM
            self.version = None
        if self.healthy and self.version is None:
            self.version = await self._read_version()
            self.max_model_len = await self._read_context()

    async def _healthy(self) -> bool | None:
        """Ask for the engine's health; None if it says nothing in time."""
        try:
            async with self._client.get(self.url + vllm.HEALTH, timeout=self._probe_timeout()) as response:
                return response.status == 200
        except TimeoutError:
            return None
        except (aiohttp.ClientError, OSError):
            return False

    async def status(self, path: str) -> int | None:
        """Ask for a path and give the answer's status alone; None if none comes in a probe's time."""
        try:
            async with self._client.get(
                self.url + path, timeout=self._probe_timeout(), allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    async def _read_version(self) -> str | None:
        answer = await self._read(vllm.VERSION)
        version = answer.get("version") if isinstance(answer, dict) else None
        return version if isinstance(version, str) else None

    async def _read_context(self) -> int | None:
        """Ask how many tokens a prompt and its answer may have together."""
        answer = await self._read(vllm.MODELS)
        models = answer.get("data") if isinstance(answer, dict) else None
        first = models[0] if isinstance(models, list) and models else None
        longest = first.get("max_model_len") if isinstance(first, dict) else None
        return longest if isinstance(longest, int) else None

    async def _read(self, path: str) -> Any:
        """Read the JSON of a path; None if it says nothing in a probe's time."""
        said = await self.text(path)
        return None if said is None else vllm.decode(said)

    async def text(self, path: str) -> bytes | None:
        """Ask for a path and give what it says; None if it says nothing in a probe's time, or refuses."""
        try:
            async with self._client.get(self.url + path, timeout=self._probe_timeout()) as response:
                return await response.read() if response.ok else None
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def _probe_timeout(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=self._timeouts.probe)
