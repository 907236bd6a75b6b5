"""Asks engines what memory they hold, every few seconds while somebody has the page open, and else never."""

import asyncio
from collections.abc import Mapping

from serve.proxy import holding, vllm
from serve.proxy.holding import Holding
from serve.proxy.upstream import Upstream

_INTERVAL = 5.0
"""Seconds between two questions: an engine's answer takes it about 40 ms of one core, much of it vLLM's own metrics."""


class Holdings:
    """What each engine said last, by its base URL; one that is down or says nothing isn't there."""

    def __init__(self, upstreams: Mapping[str, Upstream], interval: float = _INTERVAL) -> None:
        self.last: dict[str, Holding] = {}
        self._upstreams, self._interval = upstreams, interval

    async def follow(self) -> None:
        """Ask until cancelled, and forget what was said till then: it would be old when somebody looks again."""
        try:
            while True:
                await asyncio.gather(*(self._ask(each) for each in self._upstreams.values()))
                await asyncio.sleep(self._interval)
        finally:
            self.last.clear()

    async def _ask(self, upstream: Upstream) -> None:
        said = await upstream.text(vllm.METRICS) if upstream.healthy else None
        if said is None:
            self.last.pop(upstream.url, None)
        else:
            self.last[upstream.url] = holding.read(said)
