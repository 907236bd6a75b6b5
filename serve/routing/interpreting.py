"""Finds the two languages that a system prompt has the assistant interpret between: each message goes into the other.

Knows no direction: "English to French" has one, and is an order like any other. Reads what `directive` reads.
"""

import re

from serve.routing.directive import mentions
from serve.routing.inflection import HAN_NAMES, HANGUL_NAMES
from serve.routing.wording import Wording

_BETWEEN = re.compile(
    r"\b(?:between|other language|vice[ -]?versa|both (?:directions|ways|languages)|either (?:direction|way|language)"
    r"|back and forth|two[- ]way|bidirectional\w*|zwischen|andere sprache|andere der beiden|umgekehrt|beide richtungen"
    r"|entre|l'autre|autre langue|inversement|dans les deux sens|otro idioma|otra lengua|viceversa|ambos sentidos"
    r"|ambas direcciones|outro idioma|outra língua|ambos os sentidos|tra|altra lingua|entrambe|tussen|andere taal"
    r"|omgekeerd|mellan|mellem|mellom|andra språket|andet sprog|andre språket|między|drugi język|drugi z|odwrotnie|mezi"
    r"|naopak|druhého jazyka|između|obrnuto|între|invers|arasında|diğer dile|giữa|antara|sebaliknya|между|наоборот"
    r"|другой язык|обе стороны|між|навпаки|іншу мову)\b"
)
_RETURNS = re.compile(r"(\w{4,})\W+(?:\w{1,4}\W+){1,2}(\w{4,})\W.{0,40}?\b\2\W+(?:\w{1,4}\W+){1,2}\1")  # A to B, B to A
_JOINED = re.compile(r"\s?(?:[-–—/+&↔⇄⇆]|<-+>|<=+>|and|und|et|y|e|och|og|en|i|a|ve|và|dan|и|та|і)\s?")
_INTERPRETS = re.compile(
    r"translat|interpret|übersetz|dolmetsch|tradu|interpr[eéè]t|vertal|tolk|översätt|oversett|oversæt|tłumacz|překlad"
    r"|tlumočn|prevod|prijevod|çevir|tercüman|phiên dịch|dịch|terjemah|juru bahasa|перевод|переклад|тлумач|превод"
)
_ASIAN = "|".join(sorted([*HAN_NAMES, *HANGUL_NAMES], key=len, reverse=True))
_ASIAN_PAIR = re.compile(rf"({_ASIAN})(?:[和与與跟及、/↔⇄~-]|と|や|와|과|하고)\s?({_ASIAN})")
_SHORT = {
    "英": "en", "中": "zh-Hans", "汉": "zh-Hans", "漢": "zh-Hant", "日": "ja", "和": "ja", "韩": "ko", "韓": "ko",
    "法": "fr", "德": "de", "独": "de", "俄": "ru", "西": "es", "한": "ko", "영": "en", "일": "ja", "중": "zh-Hans",
    "독": "de", "불": "fr",
}  # fmt: skip
_SHORT_PAIR = re.compile(
    rf"([{''.join(_SHORT)}])([{''.join(_SHORT)}])(?:文|语|語)?\s?(?:互|双|雙|翻|口|通|同|번역|통역)"
)
_ASIAN_INTERPRETS = re.compile("[译譯訳]|翻|通訳|번역|통역")


_INTERPRETERS = ("nterpr", "intérpr", "dolmetsch", "tolk", "tlumočn", "tercüman", "口译", "口譯", "通訳", "통역")


def pair(system: Wording, *, translates: bool) -> frozenset[str] | None:
    """Name the two languages, or say that the prompt has the assistant interpret between no two.

    Args:
        system: the system prompt.
        translates: whether a translation is known to be asked for; if not, an interpreter has to be spoken of.
    """
    lowered = system.lowered
    if not translates and not any(word in lowered for word in _INTERPRETERS):
        return None
    if not system.western and _ASIAN_INTERPRETS.search(lowered):
        short, named = _SHORT_PAIR.search(lowered), _ASIAN_PAIR.search(lowered)
        known = _SHORT if short else HAN_NAMES | HANGUL_NAMES
        found = short or named
        return _two({known[found[1]], known[found[2]]}) if found else None
    places = mentions(system)
    tags = {place.name.tag for place in places}
    if len(tags) != 2 or not _INTERPRETS.search(lowered):
        return None
    joined = _JOINED.fullmatch(lowered, places[0].end, places[1].start)
    return _two(tags) if joined or _BETWEEN.search(lowered) or _RETURNS.search(lowered) else None


def _two(tags: set[str]) -> frozenset[str] | None:
    return frozenset(tags) if len(tags) == 2 else None


def other(pair: frozenset[str], spoken: str) -> str | None:
    """Name the one of two languages that isn't spoken, or say that neither is; scripts of Chinese are one language."""
    left = [tag for tag in pair if tag[:2] != spoken[:2]]
    return left[0] if len(left) == 1 else None
