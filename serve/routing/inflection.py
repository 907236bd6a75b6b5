"""Puts the names of languages into the forms in which a directive has them, and indexes them by form.

Made once, when the module is loaded. Knows of each spoken language only how its words for languages end after "in" and
"into"; a form that no speaker would use does no harm, for nobody writes it.
"""

from dataclasses import dataclass, field, replace

from serve.routing.language_names import ALSO, HAN, HANGUL, OTHER, SPOKEN_OF


@dataclass(frozen=True, slots=True)
class Name:
    """A language by one of its names."""

    tag: str
    adverb: bool
    """The form by itself means "in" or "into" the language."""
    noun: bool = False
    """The form names a language only before a word for "language"."""
    spoken: frozenset[str] = field(default=frozenset(), compare=False)
    """The languages in which the form is a name; none listed for forms of everywhere."""
    ordinary: frozenset[str] = field(default=frozenset(), compare=False)
    """The languages in which the form is an everyday word."""


# Each string makes one form: its entries are `ending>replacement`, the first that fits is used.
_PLAIN = {
    "de": (">e", ">en", ">er", ">es"),
    "fr": ("c>cque ien>ienne s>se t>te", "n>ne", ">e"),
    "es": ("és>esa",),
    "pt": ("ês>esa",),
    "nl": (">e",),
    "sv": ("a>",),
    "da": (">e",),
    "no": (">e",),
    "is": ("a>u",),
    "pl": ("i>u y>u", "i>im y>ym", "i>iego y>ego"),
    "cs": ("a>y", "a>ě", "a>u", "a>ou"),
    "sk": ("a>y", "a>e", "a>u"),
    "ro": ("ă>a",),
    "hr": ("i>om", "i>oga"),
    "sl": ("a>o", "a>i"),
    "sr": ("и>ом", "и>ог"),
    "ca": ("ès>esa",),
    "ga": ("b>mb", ">e"),
    "ru": ("ий>ом", "ий>им", "ий>ого", "ий>и", "ий>ую"),
    "uk": ("а>у", "ька>ькій", "ька>ьки"),
    "be": ("ая>ую", "ая>у", "ая>і"),
}
_ADVERBS = {
    "fi": ("nti>nniksi kki>kiksi kka>kaksi kki>kiksi omi>omeksi >ksi", "nti>nnille kka>kalle >lle"),
    "hu": ("a>ául e>éül >ul", ">ül", "a>ára e>ére >ra", ">re"),
    "tr": (">", "ca>caya ça>çaya ce>ceye çe>çeye"),
    "az": (">ca", ">cə", ">cada", ">cəyə"),
    "lv": ("ļu>liski ņu>niski ču>ciski iešu>iski u>iski",),
    "lt": ("kiečių>kiškai čių>tiškai ių>iškai ų>iškai",),
    "cs": ("čtina>cky mčina>mecky ština>sky čina>sky",),
    "sk": ("čtina>cky mčina>mecky ština>sky čina>sky",),
    "sl": ("ščina>ško",),
    "uk": ("ка>кою",),
    "be": ("ая>ай",),
    "eu": (">z", "a>ez", "a>era", ">ra"),
    "kk": (">ша", ">ше", "с>ше", ">шаға", ">шеге"),
    "mn": (">ар", ">аар", ">оор", ">ээр"),
}
_ADJECTIVES = {
    "cs": ("mčina>meckém čtina>ckém ština>ském čina>ském",),
    "sk": ("mčina>meckom čtina>ckom ština>skom čina>skom",),
    "sv": (">ska",),
    "da": (">ske",),
    "no": (">ske",),
}
"""Forms that name a language only before the word for "language": "v perzskom jazyku", "det marathiske sprog"."""
_HEADED = {"vi": "tiếng", "id": "bahasa", "ms": "bahasa"}
"""Languages whose names mean one only after this word; `Indonesia` by itself is a country."""
_NO_NOMINATIVE = ("fi", "hu")
"""Their bare names are never directives, and some are words or countries elsewhere."""
_BEFORE_NOUN = ("et", "lv", "lt", "az", "kk", "mn")
"""Their names are peoples or countries by themselves: "inglise keel", "angļu valoda"."""
_OTHER_SENSE = frozenset(
    {
        "angle",
        "armenia",
        "birma",
        "china",
        "croat",
        "dana",
        "dane",
        "estonia",
        "finne",
        "grec",
        "hindu",
        "indonesia",
        "indonezia",
        "irlanda",
        "islanda",
        "itala",
        "italia",
        "korea",
        "latina",
        "lets",
        "letse",
        "macedonia",
        "malaise",
        "norra",
        "perse",
        "pola",
        "polan",
        "pole",
        "ruse",
        "serbia",
        "sueca",
        "turka",
        "turku",
        "ucraina",
    }
)
"""Forms that are countries or everyday words elsewhere."""
_ORDINARY = {
    "dari": frozenset({"id", "ms"}),
    "estona": frozenset({"ca"}),
    "finna": frozenset({"is", "no", "sv"}),
    "fins": frozenset({"ca", "fr", "gl", "pt"}),
    "hindi": frozenset({"tl"}),
    "lettre": frozenset({"fr"}),
    "odiare": frozenset({"it"}),
    "persa": frozenset({"it"}),
    "дани": frozenset({"sr"}),
}
"""Names and forms of names that are everyday words in these languages."""


def _entries(listed: str) -> list[tuple[str, str]]:
    pairs = (entry.split(":", 1) for entry in listed.split())
    return [
        ("zh-Hans" if tag == "zh" else tag, name.replace("_", " ")) for tag, names in pairs for name in names.split("/")
    ]


def _form(name: str, rules: str) -> str | None:
    for rule in rules.split():
        ending, _, new = rule.partition(">")
        if name.endswith(ending):
            return name.removesuffix(ending) + new
    return None


def _inflected() -> dict[str, Name]:
    names: dict[str, Name] = {}
    for spoken, listed in SPOKEN_OF.items():
        if spoken in _HEADED:
            continue
        here = frozenset({spoken})
        for tag, name in _entries(listed):
            for rules in _ADVERBS.get(spoken, ()):
                _add(names, _form(name, rules), Name(tag, True, spoken=here))
            for rules in _ADJECTIVES.get(spoken, ()):
                _add(names, _form(name, rules), Name(tag, False, noun=True, spoken=here))
            if spoken in _BEFORE_NOUN:
                _add(names, name, Name(tag, True, noun=True, spoken=here))
            elif spoken not in _NO_NOMINATIVE:
                _add(names, name, Name(tag, False, spoken=here))
            for rules in _PLAIN.get(spoken, ()):
                _add(names, _form(name, rules), Name(tag, False, spoken=here))
    for tag, name in _entries(ALSO):
        _add(names, name, Name(tag, False))
    return names


def _add(names: dict[str, Name], form: str | None, name: Name) -> None:
    if not form or len(form) <= 3 or form in _OTHER_SENSE:
        return
    known = names.setdefault(form, replace(name, ordinary=_ORDINARY.get(form, frozenset())))
    if known.tag == name.tag:
        everywhere = not (known.spoken and name.spoken)
        names[form] = replace(known, spoken=frozenset() if everywhere else known.spoken | name.spoken)


def _headed() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for spoken, head in _HEADED.items():
        for tag, name in _entries(SPOKEN_OF[spoken]):
            found.setdefault(head, {}).setdefault(name, tag)
    return found


def _of_scripts() -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for listed in OTHER.values():
        for tag, name in _entries(listed):
            found.setdefault(block(name), {}).setdefault(name.removeprefix("ال"), tag)
    return found


def block(text: str) -> int:
    """The 128 code points that the first character of a text is one of: its script, nearly enough."""
    return ord(text[0]) >> 7


NAMES = _inflected()
"""A word in lower case, to the language that it names (Latin and Cyrillic scripts)."""
HEADED_NAMES = _headed()
"""The word for "language" that goes before, to names after it, to tags."""
HAN_NAMES = {name: tag for tag, name in _entries(HAN)}
HANGUL_NAMES = {name: tag for tag, name in _entries(HANGUL)}
"""Substrings of Chinese or Japanese, and of Korean."""
OTHER_NAMES = _of_scripts()
"""Substrings of text in other scripts, by `block`."""
