"""Decides whether a language's name orders the answer to be in that language, or only speaks of the language.

A linear model over words around the name: each feature has a weight, and their sum is the decision. The weights come
from `training/orders`; nothing here is tuned by hand. Looked at only where a language is named.
"""

import re
from functools import lru_cache
from importlib import resources
from itertools import repeat
from typing import NamedTuple

from serve.routing import directive_words as listed
from serve.routing.inflection import Name

BIAS = "(any)"
"""The feature that every mention has."""
KINDS = {
    "A": listed.ANSWER,
    "C": listed.CONJUNCTIONS,
    "D": listed.NO_MODIFIER,
    "F": listed.FROM,
    "L": listed.LANGUAGE_NOUN,
    "M": listed.WISH,
    "N": listed.NOT,
    "O": listed.ONLY,
    "P": listed.PREPOSITIONS,
    "Q": listed.QUESTION,
    "S": listed.SUBJECT,
    "T": listed.TRANSLATE,
    "W": listed.WORDING,
}
"""Kinds of words, by letter: what a feature knows of a word besides its first letters."""
_WHOLE = frozenset("CDFNOPQS")
"""Kinds of which whole words are listed; of the others it is beginnings."""

_BEFORE, _AFTER = 120, 60  # characters
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|(?<=\s)-(?=\s)|[^\w\s-]|\n")
_ENDS = ".!?\n;。！？；"
_END = re.compile(f"[{_ENDS}]")
_UP_TO_END = re.compile(f".*[{_ENDS}]", re.DOTALL)
_BREAKS = frozenset(",:()–—-")
_STEM = 5  # letters
_BETWEEN = 3  # words between a preposition and a name: "in very simple modern Greek"
_NEAR, _FAR = 3, 8  # words after a name


class Mention(NamedTuple):
    """A language's name in a text in lower case, and whether another name goes before it."""

    name: Name
    text: str
    start: int
    end: int
    later: bool

    @property
    def before(self) -> str:
        """What stands before the name."""
        return self.text[max(0, self.start - _BEFORE) : self.start]

    @property
    def after(self) -> str:
        """What comes after the name."""
        return self.text[self.end : self.end + _AFTER]


def _beginnings() -> tuple[dict[str, str], dict[str, str]]:
    whole: dict[str, str] = {}
    stems: dict[str, str] = {}
    for kind, words in KINDS.items():
        for word in words.split():
            # Of entries of several words, the first is enough: its neighbours are features of their own.
            first = word.partition("_")[0]
            found = whole if kind in _WHOLE or len(first) < 3 else stems
            found[first] = "".join(sorted({*found.get(first, ""), kind}))
    return whole, stems


_WHOLE_WORDS, _STEMS = _beginnings()
_LONGEST = max(map(len, _STEMS))


@lru_cache(maxsize=4_096)
def kinds(token: str) -> str:
    """Name the kinds of a word, `-` if it is of none; a sign is its own kind."""
    if not token[0].isalpha():
        return token
    found = set(_WHOLE_WORDS.get(token, ""))
    for length in range(3, min(len(token), _LONGEST) + 1):
        found.update(_STEMS.get(token[:length], ""))
    return "".join(sorted(found)) or "-"


class _Sentence(NamedTuple):
    """The words of the sentence round a name, their kinds, the sign that ends it, and where in the text it stands."""

    before: list[str]
    after: list[str]
    kinds_before: list[str]
    kinds_after: list[str]
    clause: int
    """Where in `before` the name's clause begins."""
    end: str
    opens: bool
    """Nothing goes before the sentence."""


def _sentence(mention: Mention) -> _Sentence:
    text, start, end = mention.text, mention.start, mention.end
    first, last = max(0, start - _BEFORE), min(len(text), end + _AFTER)
    done = _UP_TO_END.match(text, first, start)
    begin = done.end() if done else 0
    ending = _END.search(text, end, last)
    before = _TOKEN.findall(text, max(begin, first), start)
    after = _TOKEN.findall(text, end, ending.start() if ending else last)
    breaks = [i for i, token in enumerate(before) if token in _BREAKS]
    return _Sentence(
        before,
        after,
        [kinds(token) for token in before],
        [kinds(token) for token in after],
        breaks[-1] + 1 if breaks else 0,
        ending[0] if ending else "$",
        opens=not begin and start <= _BEFORE,
    )


def _preposition(s: _Sentence) -> int | None:
    """Find the preposition of a name: "in", or what goes before "very simple modern" after it; `None` without."""
    at = len(s.before) - 1
    for back in range(min(_BETWEEN + 1, len(s.before))):
        token, of = s.before[at - back], s.kinds_before[at - back]
        if "P" in of and (not back or len(token) > 1):
            return at - back
        if not token[0].isalpha() or "D" in of or "F" in of:
            return None
    return None


def features(mention: Mention) -> list[str]:
    """Describe a mention: `place:word` with a word's first letters, `place=kinds` with its kinds, and a few of both.

    The places: 1, 2, 3 words before the name; its preposition p and h, g before that; n, m after the name; f, s where
    the sentence begins, c where the clause does; `.` is its end. P says whether there is a preposition.
    """
    s = _sentence(mention)
    at = _preposition(s)
    return [BIAS, *_words(s, at), *_kinds(s, at), *_bags(s, at), *_of_name(mention, s, at)]


def _words(s: _Sentence, at: int | None) -> list[str]:
    before, after, end = [token[:_STEM] for token in s.before], [token[:_STEM] for token in s.after], s.end
    _, two, one = ["^", "^", "^", *before][-3:]
    g, h = ["^", "^", *(before if at is None else before[:at])][-2:]
    f, second = (*before[:2], "^", "^")[:2]
    n = after[0] if after else end
    c = before[s.clause] if s.clause < len(before) else "^"
    p = "" if at is None else before[at]
    return [
        f"1:{one}", f"2:{two}", f"21:{two} {one}", f"h:{h}", f"gh:{g} {h}", f"p:{p}", f"n:{n}",
        f"f:{f}", f"fs:{f} {second}", f"f.:{f} {end}", f"c:{c}",
        *{f"b:{token}" for token in before[:-1]}, *{f"a:{token}" for token in after[:_FAR]},
    ]  # fmt: skip


def _kinds(s: _Sentence, at: int | None) -> list[str]:
    before, after, end = s.kinds_before, s.kinds_after, s.end
    three, two, one = ["^", "^", "^", *before][-3:]
    g, h = ["^", "^", *(before if at is None else before[:at])][-2:]
    f = before[0] if before else "^"
    n, m = (*after[:2], end, end)[:2]
    c = before[s.clause] if s.clause < len(before) else "^"
    p = "" if at is None else "in"
    return [
        f"1={one}", f"2={two}", f"21={two} {one}", f"321={three} {two} {one}", f"1n={one} {n}", f"n={n}", f"nm={n} {m}",
        f"h={h}", f"gh={g} {h}", f"hn={h} {n}", f"f={f}", f"f1={f} {one}", f"f.={f} {end}", f"c={c}", f"c1={c} {one}",
        f"c1n={c} {one} {n}", f".={end}", f"Pn={p} {n}", f"Pnm={p} {n} {m}", f"Ph={p} {h}", f"Pgh={p} {g} {h}",
        f"Phn={p} {h} {n}", f"Pf={p} {f}", f"Pfh={p} {f} {h}", f"Pfn={p} {f} {n}", f"Pc={p} {c}", f"Pcn={p} {c} {n}",
    ]  # fmt: skip


_ANY = frozenset({*KINDS, "-"})
_TELLING = "QWATSN"
_BAGS = [{kind: f"{part}={kind}" for kind in _ANY} for part in "BKAN"]


def _bags(s: _Sentence, at: int | None) -> list[str]:
    """Describe what kinds of words there are in the sentence before, in the clause, after, and right after."""
    before, after, end = s.kinds_before, s.kinds_after, s.end
    p = "" if at is None else "in"
    found: list[str] = []
    for bag, listed_kinds in zip(_BAGS, (before, before[s.clause :], after, after[:_NEAR]), strict=True):
        found += [bag[kind] for kind in _ANY.intersection("".join(listed_kinds))]
    for part, listed_kinds in (("B*", before), ("K*", before[s.clause :])):
        there = "".join(listed_kinds)
        telling = "".join([kind for kind in _TELLING if kind in there])
        found += (f"{part}={telling}", f"{part}P={p} {telling}", f"{part}P.={p} {telling} {end}")
    return found


def _of_name(mention: Mention, s: _Sentence, at: int | None) -> list[str]:
    """Describe the name's form and where in the text it stands."""
    name, deep = mention.name, min(mention.start // 150, 3)
    n = s.kinds_after[0] if s.after else s.end
    c = s.kinds_before[s.clause] if s.clause < len(s.before) else "^"
    h = ["^", *(s.kinds_before if at is None else s.kinds_before[:at])][-1]
    found = [f"opens={s.opens}", f"long={min(len(s.before), 12) // 3}", f"deep={deep}"]
    found.append(f"deep P={deep} {'' if at is None else 'in'}")
    if name.tag in name.spoken:
        found.append("own=")
    if name.adverb:
        found += ("adverb=", f"adverb n={n}", f"adverb c={c}")
    if name.noun:
        found += ("noun=", f"noun n={n}")
    if mention.later:
        found += ("later=", f"later={h} {c}")
    if not s.before:
        found.append(f"bare={n}")
    return found


def _weights() -> dict[str, float]:
    lines = resources.files(__package__).joinpath("order_weights.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if not line.startswith("#"))
    return {feature: float(weight) for feature, weight in pairs}


_WEIGHTS = _weights()


def orders(mention: Mention) -> bool:
    """Say whether a mention orders the answer's language."""
    weight = _WEIGHTS.get
    return sum(map(weight, features(mention), repeat(0.0))) > 0
