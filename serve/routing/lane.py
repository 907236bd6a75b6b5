"""A lane: one way to decode. Names what the router may choose between; knows nothing of how an engine is reached."""

import functools
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to decode: engines that are alike, a method and a number of draft tokens.

    `upstream` is the base URL of its engine, or of each of its engines where it has several; `method` is vLLM's own
    name for what proposes tokens (`mtp`, `eagle3`), empty for the body, which proposes none; `draft_tokens` is the
    engine's `num_speculative_tokens`, 0 for the body.
    """

    name: str
    upstream: str | tuple[str, ...]
    method: str = ""
    draft_tokens: int = 0

    @property
    def engines(self) -> tuple[str, ...]:
        """The base URLs of its engines."""
        return (self.upstream,) if isinstance(self.upstream, str) else self.upstream

    @property
    def drafts(self) -> bool:
        """Whether a drafter proposes tokens on this lane."""
        return bool(self.method)


@functools.cache
def engine_name(url: str) -> str:
    """Name an engine for people and metrics: the host and port of its base URL, as vLLM's own metrics are labelled."""
    return urlsplit(url).netloc.rpartition("@")[2]
