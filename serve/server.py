"""The server: uvicorn with our protocol, limits and TLS. It is set up here alone, so that tests run what is shipped."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import ssl
from collections.abc import Iterator
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from serve.errors import ConfigError
from serve.proxy.direct import Direct
from serve.security import exposure
from serve.security.protocol import Guarded
from serve.settings import Settings

_SPARE_FILES = 128
"""Open files beside connections: logs, the event loop's, health checks, libraries' data."""


class Http(Guarded, Direct):
    """What a connection speaks: whatever answers it, it has passed the door before."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        ends_by_close = cycle.scope["http_version"] == "1.0"
        super()._start_asgi_task(cycle, _until_close(cycle, app) if ends_by_close else app)


def _until_close(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """Answer without chunks, which HTTP/1.0 doesn't know: what has no length ends where the connection does."""

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        unsized = False

        async def sending(message: Any) -> None:
            nonlocal unsized
            if message["type"] == "http.response.start":
                unsized = all(name.lower() != b"content-length" for name, _ in message.get("headers", []))
                cycle.chunked_encoding = False if unsized else None
            elif unsized:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, sending)

    return answering


class Server(uvicorn.Server):
    """uvicorn, but SIGTERM and SIGINT end it with exit code 0 once running requests are done.

    Told to stop, it isn't ready any more, but takes requests for `drain_delay` seconds, and closes each connection with
    its next answer: so a balancer can turn away, and no client loses a request that was on its way.
    """

    def __init__(self, config: uvicorn.Config, drain_delay: float = 0) -> None:
        super().__init__(config)
        self._drain_delay = drain_delay

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as uvicorn does, with a limit for TLS handshakes of our own: its would be a minute."""
        state = cast(FastAPI, self.config.app).state
        tls: ssl.SSLContext | None = state.tls
        limit = state.entrance.door.limits.head_seconds
        limits = {} if tls is None else {"ssl_handshake_timeout": limit, "ssl_shutdown_timeout": limit}
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(self._connection, sock=each, ssl=tls, backlog=self.config.backlog, **limits)
            for each in sockets or ()
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop as uvicorn does, but wait for nobody who only watches."""
        cast(FastAPI, self.config.app).state.leave()
        await super().shutdown(sockets)

    def _connection(self) -> Http:
        return Http(self.config, self.server_state, {})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; asked again, stop without delay."""
        state = cast(FastAPI, self.config.app).state
        if state.draining or not self._drain_delay:
            return super().handle_exit(sig, frame)
        state.draining = True
        asyncio.get_running_loop().call_later(self._drain_delay, super().handle_exit, sig, frame)
        return None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals through the loop, and leave them as they were taken."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def config(settings: Settings, application: FastAPI) -> uvicorn.Config:
    """Say how uvicorn serves an application that `app.running` gave."""
    return uvicorn.Config(
        application,
        http=Http,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,  # it would close the handlers that there are
        log_level="error",  # its warnings are about what clients did wrong, which the access log has
        server_header=False,
        proxy_headers=False,  # nothing here depends on the client's address, so nobody needs to be believed
        timeout_keep_alive=settings.keepalive_timeout,
        timeout_graceful_shutdown=settings.drain_timeout,
    )


def listen(settings: Settings, otherwise: str = "change POLYDRAFT_HOST or POLYDRAFT_PORT") -> socket.socket:
    """Take the router's address before anything else; `otherwise` is what to do where that can't be.

    Raises ConfigError if it can't be had, or if a router without keys mustn't have it.
    """
    place = f"{settings.host}, port {settings.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        keyed, anywhere = settings.keys_file is not None, settings.without_keys == "anywhere"
        exposure.check_binding(str(address[0]), keyed=keyed, anywhere=anywhere)
        return listener((str(address[0]), int(address[1])), family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ConfigError(f"can't listen on {place} ({reason}); {otherwise}") from None


def listener(address: tuple[str, int], family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    """Listen on an address; raises OSError if it can't be had."""
    listening = socket.create_server(address, family=family, backlog=2048)
    # What is accepted inherits it. asyncio doesn't set it on a socket whose protocol number is 0, as here, and then an
    # answer in two writes waits 40 ms for the client's acknowledgement of the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def allow_files(connections: int) -> None:
    """Have the system allow as many open files as that many clients and their engines' connections need.

    Raises ConfigError if it doesn't: a server that runs out of them stops taking requests without a word.
    """
    needed = 2 * connections + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise ConfigError(
                f"POLYDRAFT_MAX_CONNECTIONS={connections} needs {needed} open files and {hard} are allowed; "
                f"set it to {max(1, (hard - _SPARE_FILES) // 2)}, or raise the limit (ulimit -n)"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
