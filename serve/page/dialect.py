"""How the page is told numbers: one shape for what was measured or is expected, under the names that /v1/route uses."""

from typing import Any

from serve.page.gains import Span
from serve.routing.estimate import Estimate
from serve.routing.policy import Candidate


def span(known: Span | None) -> dict[str, Any] | None:
    """Write a number with its interval, its answers and where it is from."""
    if known is None:
        return None
    return {
        "value": rounded(known.value),
        "low": rounded(known.low),
        "high": rounded(known.high),
        "answers": known.answers,
        "source": known.source,
    }


def expected(each: Candidate | Estimate) -> dict[str, Any]:
    """Write what is expected of a lane; by the ledger with a 90 % interval and the requests that it comes from."""
    told = {
        "lane": each.lane,
        "acceptance_length": rounded(each.acceptance_length),
        "decode_rate": rounded(each.decode_rate),
    }
    if isinstance(each, Candidate):
        return told
    return told | {"low": rounded(each.low), "high": rounded(each.high), "requests": rounded(each.requests)}


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Leave out digits that nobody reads."""
    return None if value is None else round(value, digits)
