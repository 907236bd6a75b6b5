"""Names the language of a piece of prose: the script first, then function words, then a model, `und` when unsure.

Calls nothing English for want of evidence: an English-only drafter on foreign text costs far more than a missed one.
The model is handed in; only `load` makes one.
"""

import math
from collections.abc import Callable, Sequence

from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

from serve.routing import script, words

Identify = Callable[[str], Sequence[tuple[str, float]]]
"""A model: prose in, (tag of one of `MODELLED`, probability) out, the likeliest first."""

MODELLED = (
    "en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "fi", "is", "pl", "cs", "sk", "hu", "ro", "hr", "sl",
    "sr", "sq", "et", "lv", "lt", "tr", "az", "vi", "id", "tl", "sw", "af", "ca", "gl", "eu", "cy", "ga", "eo",
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

_CANDIDATES = 5
_READ = 400  # characters
_MODEL_READS = (
    160  # characters; above about fifty every model of this kind is right, and each costs a quarter microsecond
)
_WRITTEN_IN = {
    "Cyrl": frozenset({"ru", "uk", "bg", "mk", "be", "kk", "mn", "sr"}),
    "Arab": frozenset({"ar", "fa", "ur"}),
    "Deva": frozenset({"hi", "mr", "ne"}),
}


def load() -> Identify:
    """Load the model (about a second, some 100 MB while loading) and return a warm, thread-safe function."""
    full = LanguageIdentifier.from_model_file(MODEL_FILE)
    full.set_languages(MODELLED)
    # A row per feature, contiguous: the slice that set_languages takes is laid out by column and three times slower.
    model = LanguageIdentifier(
        full.nb_ptc.astype("float32", order="C"),
        full.nb_pc,
        full.nb_classes,
        full.tk_nextmove,
        full.tk_output,
        norm_probs=True,
        tk_row=full.tk_row,
    )

    def identify(text: str) -> Sequence[tuple[str, float]]:
        return model.rank(text)[:_CANDIDATES]  # type: ignore[no-any-return]

    identify("Warm the caches before the first request comes.")
    return identify


def language_of(text: str, identify: Identify, *, chinese: str = "zh-Hans") -> str:
    """Name the language of prose (code, links and quotations taken out by the caller), or `und`.

    `chinese` is what to call Chinese whose few characters don't tell simplified from traditional.
    """
    text = text[:_READ]
    found = words.count(text)
    seen = script.dominant(text, latin_is_sentence=bool(found))
    if seen.tag == "zh":
        return chinese
    if seen.tag not in script.SHARED:
        return seen.tag
    if seen.letters < 2:
        return UNDETERMINED
    return _modelled(text, seen, found, identify)


def _modelled(text: str, seen: script.Script, found: dict[str, int], identify: Identify) -> str:
    written = _WRITTEN_IN.get(seen.tag)
    if seen.tag == "Cyrl":
        written = _possible(text, seen.letters)
    if written:
        found = {tag: hits for tag, hits in found.items() if tag in written}
    best, hits = max(found.items(), key=lambda item: item[1], default=(UNDETERMINED, 0))
    others = sum(found.values()) - hits
    if (hits >= 3 and others * 4 <= hits) or (hits == 2 and not others and seen.letters < 60 and best != "en"):
        return best
    if hits and not others and (written or seen.letters < 12):
        return best
    if not hits and not written and seen.letters < 4:
        return UNDETERMINED
    ranked = identify(text[:_MODEL_READS])
    tag, probability = ranked[0]
    if hits and tag == best:
        return best
    if probability >= _wanted(tag, hits, seen.letters) and (not written or tag in written):
        # Loanwords make English words of other languages: against the model's word, they don't count.
        return best if hits >= 2 and hits > 2 * others and best != "en" else tag
    weighed = _weighed(text, ranked, seen.letters, written)
    return _by_letters(text, seen) if written and weighed == UNDETERMINED else weighed


def _possible(text: str, letters: int) -> frozenset[str]:
    """Leave out the Cyrillic languages that letters rule out by being there or, beyond a word or two, by not."""
    present = set(text.lower())
    out: set[str] = set()
    if not present.isdisjoint("ыэё"):
        out |= {"uk", "bg", "sr", "mk"}
    if not present.isdisjoint("іїєґ"):
        out |= {"ru", "bg", "sr", "mk"}
    elif letters >= 40:
        out |= {"uk", "be"}
    return _WRITTEN_IN["Cyrl"] - out


def _weighed(text: str, ranked: Sequence[tuple[str, float]], letters: int, written: frozenset[str] | None) -> str:
    """Weigh the model's candidates and the words of a short text together, and demand a clear winner."""
    scores = {tag: math.log(p + 1e-9) - (0 if tag in words.LISTED or letters >= 40 else 2) for tag, p in ranked}
    for tag, weight in words.weigh(text).items():
        scores[tag] = scores.get(tag, math.log(0.01)) + weight
    if written:
        scores = {tag: score for tag, score in scores.items() if tag in written}
    (best, score), (_, next_score) = sorted([*scores.items(), ("", -9.0), ("", -9.0)], key=lambda item: -item[1])[:2]
    clear = score - next_score >= (0.8 if best == "en" else 0.7)
    return best if clear and score > math.log(0.17) else UNDETERMINED


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
