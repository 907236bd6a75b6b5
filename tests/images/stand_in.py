"""An engine's stand-in in a container: the double behind vLLM's `--host` and `--port`, as slow as a request says.

It answers the gate as a lossless model would. The image's STAND_IN_FAULT makes faults: `drafters` has it die at the
start where it is given drafters, `start` at any start, `second` on the second GPU alone; `loads` has it load for ever,
and `lossy` lane `mtp` write other tokens than the body.
"""

import asyncio
import os
import random
import sys

import double  # type: ignore[import-not-found]  # lies beside this file in the image

FAULT = os.environ.get("STAND_IN_FAULT", "")
DRAWS = random.Random(0)
VOCABULARY, WEIGHTS = (5, 6, 7), (5, 3, 2)


async def behave(exchange: double.Exchange) -> None:
    """Take a hundredth of a second for each of `max_tokens`, but none for the gate, which asks for thousands."""
    asked = exchange.payload
    if not asked.get("return_token_ids"):
        await asyncio.sleep(asked.get("max_tokens", 0) / 100)
        await double.answer(exchange)
        return
    lane = (asked.get("vllm_xargs") or {}).get("lane", "body")
    choices = [
        {"token_ids": tokens(asked, lane, number), "message": {"role": "assistant", "content": "fine"}}
        for number in range(asked.get("n", 1))
    ]
    metrics = {**double.METRICS, "speculative_decoding": None if lane == "body" else double.SPECULATIVE}
    answer = {"id": "x", "prompt_token_ids": [1], "choices": choices, "usage": double.USAGE, "metrics": metrics}
    await exchange.whole(answer)


def tokens(asked: dict[str, object], lane: str, number: int) -> list[int]:
    """Greedy tokens that depend on nothing, or drawn ones, by the seed where there is one."""
    length = int(str(asked.get("max_tokens", 8)))
    if not asked.get("temperature"):
        return [9 if FAULT == "lossy" and lane == "mtp" else 8] * length
    seed = asked.get("seed")
    source = DRAWS if seed is None else random.Random(int(str(seed)) + number)
    return source.choices(VOCABULARY, WEIGHTS, k=length)


async def main() -> None:
    drafters, gpu = "--additional-config" in sys.argv, os.environ.get("NVIDIA_VISIBLE_DEVICES")
    if FAULT == "start" or (FAULT == "drafters" and drafters) or (FAULT == "second" and gpu == "1"):
        await asyncio.sleep(1)
        sys.exit("the stand-in dies, as it was told to")
    if FAULT == "loads":
        await asyncio.sleep(3600)
    address = {name: sys.argv[sys.argv.index(name) + 1] for name in ("--host", "--port")}
    engine = double.Engine(behaviour=behave)
    server = await asyncio.start_server(engine.connected, address["--host"], address["--port"], limit=2**20)
    await server.serve_forever()


asyncio.run(main())
