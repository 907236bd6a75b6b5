"""A piece of text as the rules read it: in lower case and split into words, once for all of them.

Most of what the rules look for they rule out by its words, at the price of a set's look-up.
"""

import re
from typing import NamedTuple

_WORD = re.compile(r"[^\W\d_]+")
_SIGNED_WORD = re.compile(r"[^\W\d_]+(?:\+\+|#)?")
_ASCII_WORD = re.compile(r"[a-z]+")  # finds the same in lower-case ASCII, in half the time
_EXAMINED = 1_200  # characters


class Wording(NamedTuple):
    """A text of which at most 1,200 characters are read, the same in lower case, and its words, of letters alone.

    Two signs belong to words: what makes `c++` and `c#` of `c`.
    """

    text: str
    lowered: str
    words: list[str]


NOTHING = Wording("", "", [])


def wording(text: str) -> Wording:
    """Prepare a text for the rules."""
    text = text[:_EXAMINED]
    lowered = text.lower()
    find = _ASCII_WORD
    if not text.isascii():
        lowered = lowered.replace("i\u0307", "i")  # what Python makes of a capital dotted i
        find = _WORD
    if "#" in lowered or "+" in lowered:
        find = _SIGNED_WORD
    return Wording(text, lowered, find.findall(lowered))
