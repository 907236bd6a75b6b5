"""One answer of a measurement, and whether it may count. Reads answers, keeps none of them."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from serve.bench.client import Answer
from serve.bench.plan import Setting, Way
from serve.bench.prompts import Prompt
from serve.routing.language import UNDETERMINED, Identify, language_of
from serve.routing.outcome import Acceptance
from serve.routing.prose import read

Fault = Literal["short", "repeating", "garbled", "language"]
"""Why an answer counts for nothing. short: fewer than two tokens, or no text; repeating: it ended in going round in
circles, which every drafter predicts; garbled: signs that no text has, or scripts mixed as no language mixes them;
language: it came in another language than the one that it is filed under."""

_GRAM = 8  # characters
_LAST = 600
_FEWEST = 240  # characters, below which a list looks like a circle
_FEWEST_DENSE = 96  # of scripts whose characters are syllables or words
_DISTINCT = 0.2  # share of different pieces below which a text repeats itself, as where the router learns
_UNREADABLE = 0.01  # share of characters
_MIXED = 0.05  # share of the letters that makes a script one of a text's
_SCRIPTS = 3  # from which on a text is mixed as none is; Japanese and Korean count as one with Chinese
_EASTERN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"})
_READ = 2_000  # characters looked at for scripts
_TOLD = 300  # characters that a language is told by
_FEW = 60  # letters that it takes
_NO_LANGUAGE = frozenset({"code", "json"})
_ALIKE = ({"da", "nb", "nn", "no", "sv"}, {"cs", "sk"}, {"hr", "sr", "bs", "sl"}, {"id", "ms"}, {"pt", "gl", "es"})
"""Languages that few words don't tell apart; an answer in one isn't taken for a fault in another."""
_SIGNS = re.compile(r"[\W\d_]+")


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: its tokens, the seconds from the first to the last, and what the drafter achieved.

    `first` is the seconds until the first token, None where nobody told; `turn` is how often the prompt had been asked
    in the same way and setting before. One with a `fault` counts for nothing.
    """

    prompt: Prompt
    way: Way
    setting: Setting
    turn: int
    tokens: int
    seconds: float
    first: float | None = None
    acceptance: Acceptance | None = None
    fault: Fault | None = None


def fault(answer: Answer, prompt: Prompt, identify: Identify) -> Fault | None:
    """Say why an answer mustn't count, None if it may. Never raises.

    What was thought before it is decoded like it, so both are looked at; models think in what language they like.
    """
    whole = answer.thought + answer.text
    if answer.tokens < 2 or not answer.seconds > 0 or not whole.strip():
        return "short"
    if circles(whole):
        return "repeating"
    if garbled(whole):
        return "garbled"
    if prompt.task not in _NO_LANGUAGE and _foreign(answer.text, prompt.language, identify):
        return "language"
    return None


def circles(text: str) -> bool:
    """Say whether a text ends in going round in circles: whether its pieces of eight characters are mostly the same."""
    end = text.strip()[-_LAST:]
    dense = sum(character >= "\u2e80" for character in end) > len(end) / 2
    if len(end) < (_FEWEST_DENSE if dense else _FEWEST):
        return False
    pieces = len(end) - _GRAM + 1
    return len({end[at : at + _GRAM] for at in range(pieces)}) < _DISTINCT * pieces


def garbled(text: str) -> bool:
    """Say whether a text has signs that no text has, or mixes three scripts as only a broken model does."""
    looked = text[:_READ]
    if sum(map(_unreadable, looked)) > _UNREADABLE * len(looked):
        return True
    scripts = Counter(_script(character) for character in looked if character.isalpha())
    letters = scripts.total()
    return sum(count > _MIXED * letters for count in scripts.values()) >= _SCRIPTS


def _unreadable(character: str) -> bool:
    return character == "\ufffd" or (
        unicodedata.category(character) in ("Cc", "Cn", "Co", "Cs") and character not in "\n\r\t"
    )


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "?").split(" ", 1)[0]
    return "eastern" if name in _EASTERN else name


def _foreign(text: str, language: str, identify: Identify) -> bool:
    """Say whether a text is in another language than this one, for sure."""
    prose = "\n".join(read(text).paragraphs)[:_TOLD]
    if len(_SIGNS.sub("", prose)) < _FEW * (0.4 if prose[:1] >= "\u2e80" else 1):
        return False
    told, wanted = (each.partition("-")[0] for each in (language_of(prose, identify), language))
    if told in (wanted, UNDETERMINED) or {told, wanted} <= {"zh", "yue"}:
        return False
    return not any({told, wanted} <= alike for alike in _ALIKE)
