"""Where the page's facts come from: the view, the engines, the table and the ledger."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from serve.ledger.learner import Learner
from serve.page.view import View
from serve.proxy.holding import Holding
from serve.proxy.upstream import Upstream
from serve.routing.lane import Lane
from serve.routing.policy import Mode, Table


@dataclass(frozen=True, slots=True)
class Memory:
    """What the machine has and uses now, whatever uses it, in GiB."""

    total: float
    used: float


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page's facts come from; `memory` is None where it can't be read, `learner` where nothing is learned.

    By engines' base URLs: `planned` has the GiB that each was planned to hold, `holding` what it says it holds.
    """

    model: str
    version: str
    policy: Mode
    exploration: float
    table: Table
    view: View
    upstreams: Mapping[str, Upstream]
    in_flight: Callable[[Lane], int]
    memory: Callable[[], Memory | None]
    planned: Mapping[str, float]
    holding: Mapping[str, Holding]
    learner: Learner | None = None

    def ready(self) -> dict[str, str]:
        """Name the lanes that are ready, each with its least busy engine's base URL."""
        found = {}
        for lane in self.view.lanes:
            urls = [url for url in lane.engines if self.upstreams[url].ready]
            if urls:
                found[lane.name] = min(urls, key=lambda url: self.upstreams[url].slots.running)
        return found
