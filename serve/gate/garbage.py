"""Measures what broken text is made of: loops, replacement characters, characters that nobody writes.

A small body may loop or stumble by itself, so these are compared with the body's own answers to the same prompts, and
only what a lane has more of counts against it. Pure.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONGEST_BLOCK = 32
"""Tokens; a longer block that repeats is a text that says the same again, not a loop."""
REPEATS = 4
SHORTEST_LOOP = 16
"""Tokens; a rule of dashes or an indented line of code may repeat one token a few times."""

EXCESS = {"looped": 0.1, "replaced": 0.005, "unprintable": 0.005}
"""How much larger a lane's share may be than the body's: of tokens in loops, and of the two kinds of characters."""

_UNWRITTEN = {"Cc", "Cn", "Co", "Cs"}
_WHITESPACE = {"\n", "\r", "\t"}


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares (0 to 1) over several answers: of tokens in loops, of U+FFFD, of control and unassigned characters."""

    looped: float
    replaced: float
    unprintable: float


@dataclass(frozen=True, slots=True)
class Text:
    """One answer, as tokens and as characters."""

    tokens: Sequence[int]
    characters: str


def looped(tokens: Sequence[int]) -> int:
    """Count the tokens of the longest stretch that says a block of at most 32 tokens four times or more."""
    longest = 0
    for period in range(1, min(LONGEST_BLOCK, len(tokens) // REPEATS) + 1):
        same = 0
        for position in range(period, len(tokens)):
            same = same + 1 if tokens[position] == tokens[position - period] else 0
            stretch = same + period
            if stretch >= max(REPEATS * period, SHORTEST_LOOP):
                longest = max(longest, stretch)
    return longest


def shares(answers: Iterable[Text]) -> Shares:
    """Pool answers; a replacement character at the very end is a character that the token limit cut in two."""
    texts = list(answers)
    characters = [text.characters.rstrip("\ufffd") for text in texts]
    written = max(sum(map(len, characters)), 1)
    return Shares(
        looped=sum(looped(text.tokens) for text in texts) / max(sum(len(text.tokens) for text in texts), 1),
        replaced=sum(text.count("\ufffd") for text in characters) / written,
        unprintable=sum(_is_unprintable(character) for text in characters for character in text) / written,
    )


def excess(lane: Shares, body: Shares) -> dict[str, float]:
    """Give what the lane has more of than the body, in the order of EXCESS; never below 0."""
    return {name: max(0.0, getattr(lane, name) - getattr(body, name)) for name in EXCESS}


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNWRITTEN and character not in _WHITESPACE
