"""Holds raw completions against chat, and says where a raw number is inflated by output that nobody would want.

Raw completions skip the chat template, and a model that was trained to chat then tends to go round in circles, which
any drafter predicts: that is how drafters come by twice the rate that they bring in chat.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serve.bench.plan import Setting
from serve.bench.sample import Sample

_MORE = 1.05  # times a rate, from which on it is another one
_CIRCLES = 0.05  # share of answers more than in chat


@dataclass(frozen=True, slots=True)
class Raw:
    """A lane's rates: in chat, on raw completions with every answer counted, and with the sound ones alone.

    Rates are tokens a second, None where there is no answer to tell by; lengths are tokens a step; `circles` is the
    share of raw answers that went round in circles, `chat_circles` that of answers in chat.
    """

    lane: str
    chat: float | None
    chat_length: float | None
    chat_circles: float
    raw: float | None
    raw_length: float | None
    sound: float | None
    circles: float

    @property
    def inflated(self) -> bool:
        """Whether the raw number owes something to answers that went round in circles."""
        honest = [rate for rate in (self.sound, self.chat) if rate is not None]
        more = self.circles > self.chat_circles + _CIRCLES
        return more and self.raw is not None and (not honest or self.raw > _MORE * min(honest))


def compare(samples: Iterable[Sample]) -> list[Raw]:
    """Compare every lane that was asked both ways, in its own draft length and at the same concurrency."""
    known = [sample for sample in samples if sample.way.draft_tokens is None]
    levels = {sample.setting.concurrency for sample in known if sample.setting.endpoint == "completions"}
    found = []
    for level in levels:
        for lane in sorted({sample.way.lane for sample in known}):
            chat, raw = (
                [each for each in known if each.setting == Setting(endpoint, level) and each.way.lane == lane]
                for endpoint in ("chat", "completions")
            )
            if chat and raw:
                found.append(_raw(lane, chat, raw))
    return found


def warnings(compared: Iterable[Raw]) -> list[str]:
    """Say of each inflated number what it is worth."""
    return [_warning(each) for each in compared if each.inflated]


def _warning(each: Raw) -> str:
    told = f"raw completions, {each.lane}: {each.raw:.0f} tok/s is inflated by degenerate output, for "
    told += f"{each.circles:.0%} of the answers went round in circles"
    if each.sound is not None:
        told += f"; without them it is {each.sound:.0f}"
    return told + (f"; in chat it is {each.chat:.0f}" if each.chat is not None else "")


def _raw(lane: str, chat: Sequence[Sample], raw: Sequence[Sample]) -> Raw:
    fine = [sample for sample in chat if sample.fault is None]
    return Raw(
        lane=lane,
        chat=_rate(fine),
        chat_length=_length(fine),
        chat_circles=_circles(chat),
        raw=_rate(raw),
        raw_length=_length(raw),
        sound=_rate([sample for sample in raw if sample.fault is None]),
        circles=_circles(raw),
    )


def _circles(samples: Sequence[Sample]) -> float:
    return sum(sample.fault == "repeating" for sample in samples) / len(samples)


def _rate(samples: Sequence[Sample]) -> float | None:
    seconds = sum(sample.seconds for sample in samples)
    return sum(max(0, sample.tokens - 1) for sample in samples) / seconds if seconds > 0 else None


def _length(samples: Sequence[Sample]) -> float | None:
    steps = sum(sample.acceptance.num_spec_steps for sample in samples if sample.acceptance)
    accepted = sum(sample.acceptance.num_accepted_draft_tokens for sample in samples if sample.acceptance)
    drafted = sum(sample.acceptance.num_draft_tokens for sample in samples if sample.acceptance)
    return 1 + accepted / steps if steps and drafted else None
