"""What an engine can do wrong, and when: behaviours of the engine double, made of a fault and a phase."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from tests.serve import double
from tests.serve.double import Exchange

Fault = Callable[[Exchange], Awaitable[None]]


async def reset(exchange: Exchange) -> None:
    """Break the connection as a crashed process does: with a reset, not a farewell."""
    linger = struct.pack("ii", 1, 0)
    exchange.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    exchange.writer.close()


async def close(exchange: Exchange) -> None:
    """End the connection in good order, in the middle of things."""
    exchange.writer.close()


async def stall(exchange: Exchange) -> None:
    """Say nothing more until the router goes."""
    await asyncio.wait_for(exchange.closed.wait(), 10)
    exchange.writer.close()


async def babble(exchange: Exchange) -> None:
    """Send what isn't HTTP, neither as a head nor as a chunk."""
    await exchange.send(b"\x00\xffzz\r\n\r\n")
    await stall(exchange)


FAULTS: dict[str, Fault] = {"reset": reset, "close": close, "stall": stall, "babble": babble}


async def _nothing(_: Exchange) -> None:
    pass


async def _head(exchange: Exchange) -> None:
    kind = "text/event-stream; charset=utf-8" if exchange.payload.get("stream") else "application/json"
    await exchange.head(200, kind, "transfer-encoding: chunked")


async def _some(exchange: Exchange) -> None:
    await _head(exchange)
    if exchange.payload.get("stream"):
        await exchange.event(double.delta("one"))
    else:
        await exchange.chunk(b'{"id": "x", "choices": [{"index"')
    await asyncio.sleep(0.03)  # so that the router has it before the fault comes


async def _all_but_the_end(exchange: Exchange) -> None:
    await _some(exchange)
    if exchange.payload.get("stream"):
        await exchange.event(double.delta("two"))
    else:
        await exchange.chunk(b": 0}]}")
    await asyncio.sleep(0.03)


async def _all_but_the_counts(exchange: Exchange) -> None:
    await _all_but_the_end(exchange)
    if exchange.payload.get("stream"):
        last = double.delta("three")
        last["choices"][0]["finish_reason"] = "stop"
        await exchange.event(last)
    await asyncio.sleep(0.03)


PHASES: dict[str, Fault] = {
    "before the head": _nothing,
    "after the head": _head,
    "in the middle": _some,
    "before the end": _all_but_the_end,
    "after finish_reason": _all_but_the_counts,
}


def broken(phase: str, fault: str) -> double.Behaviour:
    """Behave until a phase, then commit a fault."""

    async def behave(exchange: Exchange) -> None:
        await PHASES[phase](exchange)
        await FAULTS[fault](exchange)

    return behave
