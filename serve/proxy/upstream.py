"""One engine as the router sees it: is it up, and how a request is opened on it. Foreign errors become ours here."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from serve.errors import EngineFailed, EngineSilent
from serve.proxy import vllm

LOGGER = logging.getLogger(__name__)

_UNANSWERED_PROBES = 3


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, without a byte from the engine, for a probe's answer, between two probes."""

    connect: float
    silence: float
    probe: float
    probe_interval: float


class Answer:
    """An engine's answer whose head has come; its bytes are read once, as they come."""

    __slots__ = ("_response", "content_type", "retry_after", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.content_type = response.headers.get("content-type", "application/json")
        self.retry_after = response.headers.get("retry-after")

    @property
    def streams(self) -> bool:
        """Whether the bytes are server-sent events."""
        return self.content_type.startswith("text/event-stream")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the bytes as the engine sends them; raises EngineFailed if it breaks off, EngineSilent if it stalls."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except aiohttp.SocketTimeoutError as error:
            raise EngineSilent("The engine stopped sending in the middle of its answer.") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineFailed(f"The engine broke off its answer ({type(error).__name__}).") from error

    async def read(self) -> bytes:
        """Give all bytes; raises EngineFailed as `chunks` does."""
        return b"".join([chunk async for chunk in self.chunks()])


class Upstream:
    """One engine: its base URL, whether its health check passes, and its vLLM version once it said so."""

    def __init__(self, url: str, client: aiohttp.ClientSession, timeouts: Timeouts) -> None:
        self.url = url
        self.ready = False
        self.version: str | None = None
        self._client = client
        self._timeouts = timeouts

    def __repr__(self) -> str:
        return f"<Upstream {self.url} {'ready' if self.ready else 'not ready'}>"

    @asynccontextmanager
    async def open(
        self, path: str, payload: bytes, headers: Mapping[str, str], *, streamed: bool
    ) -> AsyncIterator[Answer]:
        """Send a request and wait for the answer's head; leaving early closes the connection, which aborts it in vLLM.

        A whole answer's head comes when all is generated, so only a stream is held to the limit of silence. Raises
        EngineSilent if a stream exceeds it, EngineFailed if no head comes for any other reason; a refused connection
        also marks the engine as not ready, so that the next request needn't find out for itself.
        """
        limits = self._timeouts
        silence = limits.silence if streamed else None
        timeout = aiohttp.ClientTimeout(total=None, connect=limits.connect, sock_read=silence)
        sent = {**headers, "content-type": "application/json", "accept-encoding": "identity"}
        try:
            response = await self._client.post(
                self.url + path, data=payload, headers=sent, timeout=timeout, allow_redirects=False
            )
        except aiohttp.SocketTimeoutError as error:
            raise EngineSilent("The engine took the request and said nothing.") from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            self.ready = self.ready and not isinstance(error, aiohttp.ClientConnectorError)
            raise EngineFailed(f"The engine can't be reached ({type(error).__name__}).") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EngineFailed(f"The engine gave no answer ({type(error).__name__}).") from error
        try:
            yield Answer(response)
        finally:
            response.close()  # releases nothing half-read to the pool; a whole answer was released when it ended

    async def watch(self) -> None:
        """Probe the engine until cancelled; a busy engine may leave a few probes unanswered and still be up."""
        unanswered = 0
        while True:
            try:
                healthy = await self._healthy()
            except Exception:
                LOGGER.exception("probing %s failed", self.url)
                healthy = False
            unanswered = unanswered + 1 if healthy is None else 0
            if healthy is not None or unanswered >= _UNANSWERED_PROBES:
                self.ready = bool(healthy)
            if self.ready and self.version is None:
                self.version = await self._read_version()
            await asyncio.sleep(self._timeouts.probe_interval)

    async def _healthy(self) -> bool | None:
        """Ask for the engine's health; None if it says nothing in time."""
        try:
            async with self._client.get(self.url + vllm.HEALTH, timeout=self._probe_timeout()) as response:
                return response.status == 200
        except TimeoutError:
            return None
        except (aiohttp.ClientError, OSError):
            return False

    async def _read_version(self) -> str | None:
        try:
            async with self._client.get(self.url + vllm.VERSION, timeout=self._probe_timeout()) as response:
                answer = vllm.decode(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        version = answer.get("version") if isinstance(answer, dict) else None
        return version if isinstance(version, str) else None

    def _probe_timeout(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=self._timeouts.probe)
