"""Finds the user's own words round what a program said, where nothing quotes it: "erro no node: ... como resolvo".

Programs speak English to users of every language, so of a short question with a message in it only its two ends tell.
"""

import re

from serve.routing import words
from serve.routing.language import UNDETERMINED, Identify, language_of

_SHORT = 300  # characters
_LEADING = re.compile(r"[^:]{2,40}?(?= ?:|\s+[\"'(]?(?:[A-Z0-9]|\S*[^\w\s,;.?!]\S))")
_TRAILING = re.compile(r"(?:(?:^|\s)[^\W\d_]+[#+]*(?:['’-][^\W\d_]+)*,?){1,5}[\s?!.]*$")
_ENDS = (5, 4, 3, 2)  # words
_SPOKEN, _TOLD = 4, 8  # English words that no message has where the text opens in English, and where it does not


def language_around(text: str, identify: Identify) -> str:
    """Name the foreign language of a short text's two ends, or `und` where they are English or tell nothing."""
    spoken = text.split()
    opens = _english(spoken[:2])
    if len(text) > _SHORT or (opens and _english(spoken[-2:])) or _is_english(text, _SPOKEN if opens else _TOLD):
        return UNDETERMINED
    leading, trailing = _LEADING.match(text), _TRAILING.search(text[-80:])
    lead = leading[0] if leading else ""
    tail = trailing[0].split() if trailing else []
    if _plainly_english(tail[-_ENDS[0] :]):
        return _foreign(lead, identify)
    for count in _ENDS:
        if count <= len(tail) or count == _ENDS[-1]:
            language = _foreign(f"{lead} {' '.join(tail[-count:])}".strip(), identify)
            if language != UNDETERMINED:
                return language
    return _foreign(lead, identify)


def _is_english(text: str, enough: int) -> bool:
    """Say whether a text has so many words of English, and of other languages one at most."""
    found = words.count(text)
    english = found.get("en", 0)
    return english >= enough and sum(found.values()) - english <= 1


def foreign_ends(text: str) -> bool:
    """Say whether the first or the last two words of a text hold none of English."""
    spoken = text.split()
    return any("en" not in words.weigh(" ".join(end)) for end in (spoken[:2], spoken[-2:]))


def _plainly_english(end: list[str]) -> bool:
    """Say whether English has words of its own among a few, two at least, and others half as many at most."""
    found = words.count(" ".join(end))
    english = found.get("en", 0)
    return english > 1 and english >= 2 * (sum(found.values()) - english)


def _english(end: list[str]) -> bool:
    """Say whether English is what a few words say most for."""
    weights = words.weigh(" ".join(end))
    return weights.get("en", 0.0) >= max(weights.values(), default=1.0)


def _foreign(spoken: str, identify: Identify) -> str:
    weights = words.weigh(spoken)
    english = weights.get("en", 0.0)
    if max(weights.values(), default=0.0) <= english:
        return UNDETERMINED
    language = language_of(spoken, identify)
    return language if weights.get(language, 0.0) > english else UNDETERMINED
