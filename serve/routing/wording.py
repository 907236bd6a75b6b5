"""A piece of text as the rules read it: in lower case and split into words, once for all of them.

Most of what the rules look for they rule out by its words, at the price of a set's look-up.
"""

import re
from typing import NamedTuple

_WORD = re.compile(r"[^\W\d_]+")
_SIGNED_WORD = re.compile(r"[^\W\d_]+(?:\+\+|#)?")
_ASCII_WORD = re.compile(r"[a-z]+")  # finds the same in lower-case ASCII, in half the time
_WESTERN_WORD = re.compile("[a-zªµºß-öø-\u02afḀ-ỿⁱⁿ]+")  # and this in Latin letters, in a third of it
_WESTERN = b"\x00\x01\x1e\x20"  # high bytes, in UTF-16, of Latin letters and of punctuation
_EXAMINED = 1_200  # characters


class Wording(NamedTuple):
    """A text of which at most 1,200 characters are read, the same in lower case, and its words, of letters alone.

    Two signs belong to words: what makes `c++` and `c#` of `c`.
    """

    text: str
    lowered: str
    words: list[str]
    western: bool
    """In Latin letters throughout: no word of another script needs to be looked for."""


NOTHING = Wording("", "", [], western=True)


def wording(text: str) -> Wording:
    """Prepare a text for the rules."""
    text = text[:_EXAMINED]
    lowered = text.lower()
    find, western = _ASCII_WORD, True
    if not text.isascii():
        lowered = lowered.replace("i\u0307", "i")  # what Python makes of a capital dotted i
        western = not text.encode("utf-16-le", "surrogatepass")[1::2].translate(None, _WESTERN)
        find = _WESTERN_WORD if western else _WORD
    if "#" in lowered or "+" in lowered:
        find = _SIGNED_WORD
    return Wording(text, lowered, find.findall(lowered), western)
