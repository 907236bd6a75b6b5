"""A lane: one way to decode. Names what the router may choose between; knows nothing of how an engine is reached."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to decode: an engine, a method and a number of draft tokens.

    `method` is vLLM's own name for what proposes tokens (`mtp`, `eagle3`), empty for the body, which proposes none;
    `draft_tokens` is the engine's `num_speculative_tokens`, 0 for the body.
    """

    name: str
    upstream: str
    method: str = ""
    draft_tokens: int = 0

    @property
    def drafts(self) -> bool:
        """Whether a drafter proposes tokens on this lane."""
        return bool(self.method)
