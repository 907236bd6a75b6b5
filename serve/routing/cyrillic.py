"""Tells languages in Cyrillic script apart by the letters and endings that one of them has and another lacks.

Rules out and never chooses: what is left may still be several, all of them where nothing tells.
"""

import re
from collections.abc import Mapping

CYRILLIC = frozenset({"ru", "uk", "bg", "mk", "be", "kk", "mn", "sr"})
"""Tags of the languages that are told apart here."""

BULGARIAN = re.compile(
    r"ъ(?![еёюя])|\w{2}(?:ата|ята|ото|ето|ите|ият|ския|ам|иш)\b|\b(?:се|си|от|със|във|без)\b", re.IGNORECASE
)
"""What a Bulgarian phrase seldom lacks, and without which Russian, more asked in, is as likely."""

# Letters of few Cyrillic languages: whoever lacks a letter that is there is out.
_CYRILLIC = (
    ("ђћ", {"sr"}),
    ("ѓќѕ", {"mk"}),
    ("јљњџ", {"sr", "mk"}),
    ("ў", {"be"}),
    ("їє", {"uk"}),
    ("і", {"uk", "be", "kk"}),
    ("қғңұһә", {"kk"}),
    ("өү", {"kk", "mn"}),
    ("ыэ", {"ru", "be", "kk", "mn"}),
    ("ё", {"ru", "be", "mn", "kk"}),
    ("щ", {"ru", "uk", "bg", "kk"}),
    ("ъ", {"ru", "bg", "mn", "kk"}),
    ("ьюяй", {"ru", "uk", "bg", "be", "kk", "mn"}),
)
_HARD = re.compile("ь(?!о)", re.IGNORECASE)  # Bulgarian writes the soft sign before one vowel alone

_IN_U = r"\b(?!{0})\w{{3,}}у\b"  # the end of a Serbian object, which neither neighbour declines
_NOT_BULGARIAN = re.compile(
    r"\b(?:како|шта|ко|где|кад|када|јер|преко|преку|зашто|каде|кој|која|који|које|колку|дека)\b|"
    r"\b(?:для|если|чтобы|это|этот|эта|эти|этого|нужно|можно|найди|реши|тему|теме|методом)\b|"
    r"\b(?!много\b|немного\b|строго\b|дълго\b)\w{3,}(?:ого|его|ому|ему|ами|ями|тся|ую|юю)\b|"
    + _IN_U.format("срещу|върху|между|помежду|измежду|бижу|гуру|табу|тату|шоу")
)
_NOT_MACEDONIAN = re.compile(
    r"\b(?:шта|ко|где|кад|када|преко)\b|\w{2,}ити\b|"
    + _IN_U.format(r"ме[ѓг]у|поме[ѓг]у|преку|многу|\w*колку|толку|бижу|гуру|табу|тату|шоу")
)


def possible(text: str, letters: int, found: Mapping[str, int]) -> frozenset[str]:
    """Leave out the Cyrillic languages that letters rule out by being there or, beyond a few words, by not."""
    lowered = text.lower()
    present = set(lowered)
    left = set(CYRILLIC)
    for own, tags in _CYRILLIC:
        if not present.isdisjoint(own) and left & tags:
            left &= tags
    if "ь" in present and _HARD.search(text):
        left.discard("bg")
    if "bg" in left and _NOT_BULGARIAN.search(lowered):
        left.discard("bg")
    if "mk" in left and len(left) > 1 and _NOT_MACEDONIAN.search(lowered):
        left.discard("mk")
    listed = found.keys() & left
    if letters >= 35 and "і" not in present and "ї" not in present and not listed & {"uk", "be"}:
        left -= {"uk", "be"}
    if letters >= 20 and present.isdisjoint("ъщьюяйыэё") and (not listed or listed & {"sr", "mk"}):
        left &= {"sr", "mk"}
    return frozenset(left) or CYRILLIC
