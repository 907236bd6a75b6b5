"""Decides whether a lane's drafter achieves what it should: one that was made for another body drafts in vain.

Where the router's table says what was measured, half of the measured gain must come out, in the kind of prompt for
which the table promises this lane most; elsewhere a default, in whatever kind it does best. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from serve.routing.outcome import Acceptance

DEFAULT_FLOOR = 1.3
"""Tokens a step. The demo's drafters reach 1.00 to 1.03 in a language that they never saw, as good as a stranger's;
a drafting lane that doesn't reach this wherever it does best is slower than the body."""
SHARE_OF_GAIN = 0.5


@dataclass(frozen=True, slots=True)
class Reach:
    """The acceptance length of a lane in its best kind of prompt, None if it was never reported, and its floor."""

    kind: str
    acceptance_length: float | None
    floor: float
    measured: float | None

    @property
    def passed(self) -> bool:
        """Whether the floor was reached."""
        return self.acceptance_length is not None and self.acceptance_length >= self.floor


def reach(accepted: Mapping[str, Acceptance], promised: Mapping[str, float]) -> Reach:
    """Compare what a lane achieved, by kind of prompt, with what the table promises it there.

    `promised` holds acceptance lengths of those kinds alone that the table has a figure for.
    """
    most = max(promised.values(), default=1.0)
    measured = most if most > 1 else None
    floor = 1 + SHARE_OF_GAIN * (measured - 1) if measured else DEFAULT_FLOOR
    lengths = {
        kind: report.acceptance_length
        for kind, report in accepted.items()
        if report.acceptance_length is not None and (measured is None or promised.get(kind) == measured)
    }
    best = max(lengths, key=lambda kind: lengths[kind], default="")
    return Reach(best, lengths.get(best), floor, measured)


def pool(one: Acceptance, other: Acceptance) -> Acceptance:
    """Add up two reports."""
    return Acceptance(
        one.num_spec_steps + other.num_spec_steps,
        one.num_draft_tokens + other.num_draft_tokens,
        one.num_accepted_draft_tokens + other.num_accepted_draft_tokens,
        (),
    )
