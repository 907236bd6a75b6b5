"""Names the language of a piece of prose: the script first, then function words, then a model, `und` when unsure.

Calls nothing English for want of evidence: an English-only drafter on foreign text costs far more than a missed one.
The model is handed in; only `load` makes one.
"""

import math
import re
from collections.abc import Callable, Sequence

from serve.routing import cyrillic, greetings, letters, romanised, script, siblings, words

Identify = Callable[[str], Sequence[tuple[str, float]]]
"""A model: prose in, (tag of one of `MODELLED`, probability) out, the likeliest first."""

MODELLED = (
    "en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "fi", "is", "pl", "cs", "sk", "hu", "ro", "hr", "sl",
    "sr", "sq", "et", "lv", "lt", "tr", "az", "vi", "id", "ms", "tl", "sw", "af", "ca", "gl", "eu", "cy", "ga", "eo",
    "ru", "uk", "bg", "mk", "be", "kk", "mn", "ar", "fa", "ur", "hi", "mr", "ne",
)  # fmt: skip
"""Languages that share a script, which the model tells apart.

Wide on purpose: cut to the languages one routes, the same kind of model calls a third of Danish or Czech English.
"""

BY_SCRIPT = (
    "zh-Hans", "zh-Hant", "yue", "ja", "ko", "th", "lo", "my", "km", "el", "he", "hy", "ka", "am",
    "bn", "pa", "gu", "or", "ta", "te", "kn", "ml", "si",
)  # fmt: skip
"""Languages that their script gives away."""

UNDETERMINED = "und"
LANGUAGES: tuple[str, ...] = (*MODELLED, *BY_SCRIPT, UNDETERMINED)
"""Every tag that can come out: the closed set of a metric's label values."""

_BEYOND_DOUBT = 0.99  # probability against which two words say nothing
_MANY = 3  # words that no title is so sure to have
_TWO_WORDS = 3.0  # of `words.weigh`: what two small words of few languages weigh
_DOUBTFUL = 0.5  # probability below which the model's word says nothing against another sign
_BESIDE_HINDI = {
    "mr": letters.CERTAIN,
    "ne": _DOUBTFUL,
}  # the same, against Hindi
_READ = 400  # characters
_MODEL_READS = 80  # characters: of 21,000 labelled requests one comes out better with 100, and each costs 0.2 us
_FEW_WORDS, _WORD_ALONE = 0.17, 0.33  # probability of which a guess is taken; one word is less to go by
_LATIN = frozenset(MODELLED[: MODELLED.index("ru")])
_SIBLINGS = frozenset(
    map(frozenset, (("da", "no"), ("cs", "sk"), ("hr", "sr"), ("hr", "sl"), ("id", "ms"), ("mk", "sr")))
)
"""Pairs so alike that a single word of the one outweighs the model's word for the other."""
_WRITTEN_IN = {
    "Cyrl": cyrillic.CYRILLIC,
    "Arab": frozenset({"ar", "fa", "ur"}),
    "Deva": frozenset({"hi", "mr", "ne"}),
}


def load() -> Identify:
    """Load the model (about a second, some 100 MB while loading) and return a warm, thread-safe function."""
    return letters.load(MODELLED)


def language_of(text: str, identify: Identify, *, chinese: str = "zh-Hans") -> str:
    """Name the language of prose (code, links and quotations taken out by the caller), or `und`.

    `chinese` is what to call Chinese whose few characters don't tell simplified from traditional.
    """
    text = text[:_READ]
    if len(text) < 40:
        known = greetings.greeting(text) or greetings.opening(text)
        if known:
            return known
        if text[:4].lower() in _SHORTHAND:
            return _after_shorthand(text, identify)
    found = words.count(text)
    seen = script.dominant(text, latin_is_sentence=bool(found))
    if seen.tag not in script.SHARED:
        return chinese if seen.tag == "zh" else seen.tag
    if seen.tag == "Latn" and len(found) == 1 and found.get("en", 0) >= _MANY:
        return "en"
    if seen.letters < 2:
        return UNDETERMINED
    if ("¿" in text or "¡" in text) and "en" not in found:
        return "es"  # no other language opens its questions so
    tag = _modelled(text, seen, found, identify)
    if tag == "en":
        return greetings.first_word(text) or tag
    if tag not in siblings.FAMILY or (tag in siblings.LARGE and found.get(tag, 0) >= 2):
        return tag
    return siblings.told(text, tag) if seen.tag == "Latn" else tag


_SHORTHAND = ("eli5", "tldr", "tl;d")


def _after_shorthand(text: str, identify: Identify) -> str:
    """Take "ELI5 inflation" for English, since what it opens with is, unless the rest is another language's."""
    rest = text.partition(" ")[2]
    language = language_of(rest, identify)
    if language == UNDETERMINED and len(rest) > 2 and rest.isascii() and identify(rest)[0][1] < _DOUBTFUL:
        return "en"
    return language


def possible(text: str) -> frozenset[str]:
    """Name the languages that share the text's script and don't lack a letter of it; those of Latin script are one."""
    seen = script.dominant(text[:_READ], latin_is_sentence=True)
    if seen.tag == "Cyrl":
        return cyrillic.possible(text, 0, {})
    return _WRITTEN_IN.get(seen.tag, _LATIN if seen.tag == "Latn" else frozenset({seen.tag}))


def _modelled(text: str, seen: script.Script, found: dict[str, int], identify: Identify) -> str:
    if seen.tag == "Latn" and ("hi" in found or "bn" in found):
        spoken = romanised.language(text)
        if spoken:
            return spoken
        found = {tag: hits for tag, hits in found.items() if tag not in words.ROMANISED}
    written = _written(text, seen, found) if seen.tag != "Latn" else None
    if written:
        found = {tag: hits for tag, hits in found.items() if tag in written}
    best, hits = max(found.items(), key=lambda item: item[1], default=(UNDETERMINED, 0))
    others = sum(found.values()) - hits
    if "ms" in found and words.is_malay(text, found["ms"]):
        return "ms"
    if _enough(seen.letters, best, hits, others, written):
        return best
    if not hits and not written and seen.letters < 4:
        return UNDETERMINED
    ranked = _ranked(text, found, identify)
    tag, probability = ranked[0]
    if hits and (tag == best or (not others and frozenset((tag, best)) in _SIBLINGS)):
        return best
    if seen.tag == "Latn" and tag in siblings.EQUAL:
        probability = sum(p for other, p in ranked if other in siblings.FAMILY[tag])
    if probability >= _wanted(tag, hits, seen.letters) and (not written or tag in written):
        # Loanwords make English words of other languages: against the model's word, they don't count.
        sure = (
            best if hits >= (3 if probability >= _BEYOND_DOUBT else 2) and hits > 2 * others and best != "en" else tag
        )
        return _among_terms(text) or sure if sure == "en" and "en" not in found else sure
    weighed = _weighed(text, ranked, seen.letters, written)
    return _by_letters(text, seen) if written and weighed == UNDETERMINED else weighed


def _enough(letters: int, best: str, hits: int, others: int, written: frozenset[str] | None) -> bool:
    """Say whether function words decide without the model: few words of one language, or many of it and few others."""
    if hits >= 3 and others * 4 <= hits:
        return True
    return (hits > 0 and not others and (bool(written) or letters < 12)) or (
        hits == 2 and not others and letters < 60 and best != "en"
    )


def _among_terms(text: str) -> str | None:
    """Name the language of a few small words among English terms: "docker compose con wordpress y mysql"."""
    weights = words.weigh(text)
    best = max(weights, key=lambda tag: weights[tag], default="")
    return best if "en" not in weights and weights.get(best, 0.0) >= _TWO_WORDS else None


def _ranked(text: str, found: dict[str, int], identify: Identify) -> Sequence[tuple[str, float]]:
    """Ask the model; Malay is Indonesian unless a word of its own says otherwise, for the model only guesses there."""
    ranked = identify(text[:_MODEL_READS])
    if ranked[0][0] in _BESIDE_HINDI and ranked[0][1] < _BESIDE_HINDI[ranked[0][0]] and not found:
        return [("hi", sum(p for _, p in ranked))]  # its neighbours are asked in too seldom to be guessed at
    if ranked[0][0] == "bg" and ranked[0][1] < letters.CERTAIN and not found and not cyrillic.BULGARIAN.search(text):
        share = sum(p for tag, p in ranked if tag in ("bg", "ru"))
        return [("ru", share), *(r for r in ranked[1:] if r[0] != "ru")]
    if ranked[0][0] == "gl" and ranked[0][1] < letters.CERTAIN and not siblings.shows(text, "gl"):
        return _without_galician(text, ranked)
    if "ms" in found or all(tag != "ms" for tag, _ in ranked[:2]):
        return ranked
    share = sum(p for tag, p in ranked if tag in ("id", "ms"))
    return sorted([("id", share), *(r for r in ranked if r[0] not in ("id", "ms"))], key=lambda r: -r[1])


def _without_galician(text: str, ranked: Sequence[tuple[str, float]]) -> Sequence[tuple[str, float]]:
    """Give Galician's share to the larger neighbour that the model thinks likelier: unless marked, it is that one."""
    shares = dict(ranked)
    into = max("es", "pt", key=lambda tag: shares.get(tag, 0.0))
    if shares.get(into, 0.0) < max(shares["gl"] / 2, _SHARE) or (into == "es" and _GALICIAN.search(text)):
        return ranked
    shares[into] = shares.get(into, 0.0) + shares.pop("gl")
    return sorted(shares.items(), key=lambda item: -item[1])


_SHARE = 0.15  # probability
_GALICIAN = re.compile(r"\b(?:[oe]|os|ao|d[oa]s?) ", re.IGNORECASE)  # small words that tell it from Spanish


def _weighed(text: str, ranked: Sequence[tuple[str, float]], letters: int, written: frozenset[str] | None) -> str:
    """Weigh the model's candidates and the words of a short text together, and demand a clear winner."""
    scores = {tag: math.log(p + 1e-9) - (0 if tag in words.LISTED or letters >= 40 else 2) for tag, p in ranked}
    weights = words.weigh(text)
    for tag, weight in weights.items():
        scores[tag] = scores.get(tag, math.log(0.01)) + weight
    if written:
        scores = {tag: score for tag, score in scores.items() if tag in written}
    (best, score), (_, next_score) = sorted([*scores.items(), ("", -9.0), ("", -9.0)], key=lambda item: -item[1])[:2]
    clear = score - next_score >= (0.8 if best == "en" else 0.7)
    wanted = _WORD_ALONE if " " not in text.strip() and text.isascii() and not weights else _FEW_WORDS
    return best if clear and score > math.log(wanted) else UNDETERMINED


def _wanted(tag: str, hits: int, letters: int) -> float:
    """The probability from which the model's word is enough: more where error is dear or the language rare."""
    if letters < 40 and tag not in words.LISTED:
        return 0.8
    return 0.5 if tag == "en" or hits or letters < 20 else 0.4


def _by_letters(text: str, seen: script.Script) -> str:
    """Tell the languages of a script apart by letters that only one of them has; the largest has none of its own."""
    if seen.tag == "Deva":
        return "hi"
    letters = set(text.lower())
    for tag, own in _OWN_LETTERS[seen.tag]:
        if not letters.isdisjoint(own):
            return tag
    return {"Cyrl": "ru", "Arab": "ar"}[seen.tag]


_PERSIAN = re.compile("[پچژگکی]")


def _written(text: str, seen: script.Script, found: dict[str, int]) -> frozenset[str] | None:
    """Name the languages of a shared script, less those that the text's letters rule out; none for Latin script."""
    if seen.tag == "Cyrl":
        return cyrillic.possible(text, seen.letters, found)
    written = _WRITTEN_IN.get(seen.tag)
    return written - {"ar"} if written and seen.tag == "Arab" and len(_PERSIAN.findall(text)) > 1 else written


_OWN_LETTERS = {
    "Cyrl": (
        ("be", "ў"),
        ("uk", "іїєґ"),
        ("mk", "ќѓѕ"),
        ("sr", "јљњћђџ"),
        ("kk", "қғңұүһәө"),
        ("ru", "ыэё"),
        ("bg", "ъ"),
    ),
    "Arab": (("ur", "ٹڈڑےہھں"), ("fa", "پچژگیک")),
}
