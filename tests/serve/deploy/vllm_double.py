"""Stands where `polydraft up` expects vLLM's command: takes its arguments, and answers as the engine double does."""

import asyncio
import sys

from tests.serve.double import Engine


async def serve(port: int) -> None:
    server = await asyncio.start_server(Engine().connected, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[sys.argv.index("--port") + 1])))
