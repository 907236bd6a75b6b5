"""An engine's stand-in in a container: the double behind vLLM's `--host` and `--port`."""

import asyncio
import sys

import double  # type: ignore[import-not-found]  # lies beside this file in the image


async def main() -> None:
    address = {name: sys.argv[sys.argv.index(name) + 1] for name in ("--host", "--port")}
    server = await asyncio.start_server(double.Engine().connected, address["--host"], address["--port"], limit=2**20)
    await server.serve_forever()


asyncio.run(main())
