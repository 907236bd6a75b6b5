"""The text of simulated answers: words of the answer's language in random order, one of them a token."""

import random
import tomllib
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("filler.toml")
_CIRCLE = 7  # words
_WITHOUT_SPACES = frozenset({"zh", "ja"})


@cache
def _words() -> dict[str, tuple[list[str], str]]:
    texts: dict[str, str] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {
        language: (list(text), "") if language in _WITHOUT_SPACES else (text.split(), " ")
        for language, text in texts.items()
    }


def filler(language: str, tokens: int, rng: random.Random) -> str:
    """Write so many words; numbers where there are no words of that language."""
    chosen, between = _of(language)
    return "".join(rng.choice(chosen) + between for _ in range(tokens))


def circling(language: str, begun: int, tokens: int) -> str:
    """Write so many words of an answer that goes round in circles, `begun` of which stand there already."""
    chosen, between = _of(language)
    return "".join(chosen[number % _CIRCLE % len(chosen)] + between for number in range(begun, begun + tokens))


def _of(language: str) -> tuple[list[str], str]:
    words = _words()
    return words.get(language.partition("-")[0], words["und"])
