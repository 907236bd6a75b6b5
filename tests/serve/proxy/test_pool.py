"""The connections to one engine, on real sockets: none is lost, whenever an exchange is given up."""

import asyncio

import pytest

from serve.proxy.connection import Head, Patience, Source
from serve.proxy.pool import Pool

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LONG = Patience(10, 10)


class Engine:
    """Answers whatever comes, and counts who came."""

    def __init__(self) -> None:
        self.connections = self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while await reader.read(65536):
                writer.write(ANSWER)
        finally:
            self.open -= 1
            writer.close()


class Client:
    """Takes an answer, and leaves as soon as it has some of it, if it is one of those."""

    def __init__(self, *, leaves: bool) -> None:
        self.task: asyncio.Task[None] | None = None
        self._leaves = leaves

    def on_head(self, head: Head, source: Source) -> Exception | None:
        return None

    def on_data(self, chunk: bytes, *, last: bool = False) -> None:
        if self._leaves and self.task:
            self.task.cancel()

    async def ask(self, pool: Pool) -> None:
        self.task = asyncio.ensure_future(pool.exchange(pool.request("POST", "/", b"{}", {}), self, LONG))
        await self.task


def test_clients_that_leave_just_as_their_answer_ends_cost_no_connection() -> None:
    async def scenario() -> Engine:
        engine = Engine()
        server = await asyncio.start_server(engine, "127.0.0.1", 0)
        pool = Pool(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 5)
        for _ in range(10):
            with pytest.raises(asyncio.CancelledError):
                await Client(leaves=True).ask(pool)
        await Client(leaves=False).ask(pool)
        pool.close()
        while engine.open:
            await asyncio.sleep(0.01)
        server.close()
        return engine

    assert asyncio.run(asyncio.wait_for(scenario(), 10)).connections == 1
