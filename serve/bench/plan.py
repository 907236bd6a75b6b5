"""What a measurement sends, and in which order. Decides only; sends nothing.

Every lane gets the same prompts, in short stretches one after the other whose order goes round, so that whatever else
slows the machine slows all of them. In a stretch all requests are of one lane: lanes that shared a batch would slow
each other, and nobody could tell which.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal, NamedTuple

from serve.bench.prompts import Prompt

Endpoint = Literal["chat", "completions"]

_HOUSES = 2  # requests of a stretch for each that runs at once: its end, where fewer run, is short beside the whole


class Way(NamedTuple):
    """A lane, and how many tokens it is to draft a step: None is as many as it does."""

    lane: str
    draft_tokens: int | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.lane if self.draft_tokens is None else f"{self.lane} n={self.draft_tokens}"


class Setting(NamedTuple):
    """The endpoint that is asked, and how many requests run at once."""

    endpoint: Endpoint
    concurrency: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: `rounds` times every prompt in every way, answers of at most `max_tokens` tokens.

    `draft_tokens` are the draft lengths to try beside each lane's own; `raw` asks raw completions too, at the lowest
    concurrency and the lanes' own lengths.
    """

    prompts: Sequence[Prompt]
    rounds: int = 1
    max_tokens: int = 200
    concurrency: tuple[int, ...] = (1,)
    draft_tokens: tuple[int, ...] = ()
    raw: bool = False
    seed: int = 0

    def settings(self) -> tuple[Setting, ...]:
        """List what is asked, raw completions after the chat that they are held against."""
        levels = sorted(set(self.concurrency))
        raw = (Setting("completions", levels[0]),) if self.raw else ()
        return (Setting("chat", levels[0]), *raw, *(Setting("chat", level) for level in levels[1:]))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Prompts that are sent one way, `setting.concurrency` of them at once; answers of `warm_up` count for nothing."""

    setting: Setting
    way: Way
    prompts: tuple[Prompt, ...]
    warm_up: bool = False


def stretches(plan: Plan, ways: Sequence[Way]) -> Iterator[Stretch]:
    """Give all that is sent, in its order.

    Prompts are shuffled, the same in every way; at several at once, the last stretch is filled up from the beginning.
    """
    rng = random.Random(plan.seed)  # noqa: S311  # an order is no secret
    for number in range(plan.rounds):
        for setting in plan.settings():
            asked = ways if setting.endpoint == "chat" else [way for way in ways if way.draft_tokens is None]
            if number == 0:
                for way in asked:
                    yield Stretch(setting, way, tuple(islice(cycle(plan.prompts), setting.concurrency)), warm_up=True)
            pieces = _pieces(rng.sample(plan.prompts, len(plan.prompts)), setting.concurrency)
            for index, piece in enumerate(pieces):
                turn = (number + index) % len(asked)
                for way in (*asked[turn:], *asked[:turn]):
                    yield Stretch(setting, way, piece)


def _pieces(prompts: Sequence[Prompt], concurrency: int) -> Iterator[tuple[Prompt, ...]]:
    size = 1 if concurrency == 1 else _HOUSES * concurrency
    for begin in range(0, len(prompts), size):
        piece = prompts[begin : begin + size]
        yield (*piece, *islice(cycle(prompts), size - len(piece)))
