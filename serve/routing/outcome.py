"""What happened to one request: the one record that every observer reads. Counts nothing itself."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from serve.routing.cell import Cell, Endpoint
from serve.routing.policy import Decision
from serve.routing.sample import Sample

Asked = Endpoint | Literal["count_tokens", "tokenize", "detokenize", "stored"]
"""What was asked for: an endpoint that generates, or one where every lane answers the same. `stored` reads or cancels a
response that an engine holds."""

End = Literal["complete", "aborted", "failed", "refused", "rejected"]
"""complete: answered; aborted: the client left; failed: the engine broke; refused: the engine answered an
error; rejected: the router did, and no engine saw the request."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a drafter achieved on one request, under vLLM's own names (counts of verification passes and of tokens).

    `accepted_per_pos[i]` is the number of steps that accepted the draft at position i, so it never rises with i.
    """

    num_spec_steps: int
    num_draft_tokens: int
    num_accepted_draft_tokens: int
    accepted_per_pos: tuple[int, ...]

    @property
    def acceptance_length(self) -> float | None:
        """Tokens a verification pass gave, the bonus token included; None if no pass was made."""
        if self.num_spec_steps == 0:
            return None
        return 1 + self.num_accepted_draft_tokens / self.num_spec_steps  # vLLM counts the bonus token


class Outcome(NamedTuple):
    """One finished request.

    Times are seconds, `decode_rate` is output tokens per second after the first, None where it can't be told (fewer
    than two tokens, or nothing measured), `generation_time` the engine's own seconds from the first token to the last.
    `acceptance` is None on the body and where the engine reported none. `cell` and `decision` are None where the
    request was rejected before they were known, `cell` also where nothing is generated; `status` is 0 if no answer
    began. `sample` is there where a policy learns: it looks into the answer, and is for no log. `engine` is the
    base URL of the engine that answered, or was tried last. `shortened` is one whose client had the lane draft fewer
    tokens than it does.
    """

    request_id: str
    endpoint: Asked
    cell: Cell | None
    decision: Decision | None
    drafted: bool
    streamed: bool
    status: int
    end: End
    duration: float
    time_to_first_token: float | None = None
    decode_rate: float | None = None
    generation_time: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    acceptance: Acceptance | None = None
    sample: Sample | None = None
    engine: str | None = None
    shortened: bool = False

    @property
    def unmeasured(self) -> bool:
        """Whether a drafter may have worked on this request and its acceptance isn't known."""
        return self.drafted and self.end != "refused" and self.acceptance is None
