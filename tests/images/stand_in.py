"""An engine's stand-in in a container: the double behind vLLM's `--host` and `--port`, as slow as a request says."""

import asyncio
import sys

import double  # type: ignore[import-not-found]  # lies beside this file in the image


async def slowly(exchange: double.Exchange) -> None:
    """Take a hundredth of a second for each of `max_tokens`."""
    await asyncio.sleep(exchange.payload.get("max_tokens", 0) / 100)
    await double.answer(exchange)


async def main() -> None:
    address = {name: sys.argv[sys.argv.index(name) + 1] for name in ("--host", "--port")}
    engine = double.Engine(behaviour=slowly)
    server = await asyncio.start_server(engine.connected, address["--host"], address["--port"], limit=2**20)
    await server.serve_forever()


asyncio.run(main())
