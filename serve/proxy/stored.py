"""Finds the engine that holds a stored response: vLLM keeps responses in the memory of the engine that gave them.

The engines are asked each time. So nothing has to be remembered, and a restart of the router or a second one before the
same engines loses no response.
"""

import asyncio
import re
from collections.abc import Mapping

from serve.proxy import vllm
from serve.proxy.upstream import Upstream

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def is_id(value: object) -> bool:
    """Tell whether this can be a response's id, and be put into a path as it is."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


async def holders(upstreams: Mapping[str, Upstream], response_id: object) -> frozenset[str]:
    """Name the engines that hold a response; none where nobody has to be asked, or nobody has it."""
    if len(upstreams) < 2 or not is_id(response_id):
        return frozenset()
    ready = [name for name, upstream in upstreams.items() if upstream.ready]
    statuses = await asyncio.gather(*(upstreams[name].status(f"{vllm.STORED}{response_id}") for name in ready))
    return frozenset(name for name, status in zip(ready, statuses, strict=True) if status == 200)
