"""Finds the language that an instruction asks the answer to be in: "answer in Chinese", "auf Deutsch", "用英文回答".

Finds the names of languages first, by look-up, and examines the sentence round a few of them only: most requests name
no language and must not pay for the rest. Naming a language is not asking for it: "how do you say it in Japanese?"
stays a question in English.
"""

import re

from serve.routing import directive_cjk, directive_given, directive_other, order, words
from serve.routing import directive_words as listed
from serve.routing.directive_given import lasts as lasts
from serve.routing.inflection import HAN_NAMES, HANGUL_NAMES, NAMES, Name
from serve.routing.order import Mention
from serve.routing.wording import Wording


def _stems(listed: str) -> re.Pattern[str]:
    """Match the beginnings of words. Grouped by first letter, for `re` tries the branches of a choice one by one."""
    rests: dict[str, list[str]] = {}
    for stem in sorted({stem.replace("_", " ") for stem in listed.split()}, reverse=True):
        rests.setdefault(stem[0], []).append(re.escape(stem[1:]))
    choices = [f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items()]
    return re.compile(rf"\b(?=[{''.join(rests)}])(?:{'|'.join(choices)})")


_TRANSLATE = re.compile(f"(?!{listed.TRANSLATED}){_stems(listed.TRANSLATE).pattern}")
_LANGUAGE_NOUN = re.compile(rf"\W*(?:{'|'.join(listed.LANGUAGE_NOUN.split())})")
_EASTERN, _OTHER = re.compile("[\u2e80-\ud7ff]"), re.compile("[\u0370-\u03ff\u0530-\u1fff]")  # where such names stand
_TRANSLATE_BEGINNINGS = frozenset(stem[:5] for stem in listed.TRANSLATE.split())
_NAMES_EXAMINED = 6
_USERS_OWN = re.compile(
    r"same language as|in (?:the )?(?:same language|language (?:of|that|used by|the user)"
    r"|(?:the )?user'?s (?:own |native )?language)"
    r"|in (?:whatever|any|whichever) language|match(?:es|ing)? the (?:user'?s )?language"
    r"|in der sprache de[sr]|dans la langue d|en el idioma del? |en el mismo idioma|na língua do|nella lingua d"
)
_NUMERALS = re.compile(r"[\w-]* (?:numer|digit|number|figure|ziff|zahl|siffr|tall?\b|cijfer|rakam|cyfr|číslic)")
_DIGITS_OF = ("chiffres ", "números ", "numeros ", "cifras ", "algarismos ", "cifre ", "numeri ")
_ITALY, _FRENCH_IN = "italien", ("en ", "l'", "l’")  # a country in German and Scandinavian


def target(instruction: Wording) -> str | None:
    """Name the language that a piece of an instruction asks for, or say that it asks for none."""
    lowered = instruction.lowered
    if not lowered:
        return None
    if not instruction.western:
        found = (_EASTERN.search(lowered) and directive_cjk.target(lowered)) or (
            _OTHER.search(lowered) and directive_other.target(lowered)
        )
        if found:
            return found
    found = directive_other.headed(lowered)
    if found:
        return found
    named = mentions(instruction)
    if not named or _USERS_OWN.search(lowered):
        return None
    return directive_given.target(lowered) or _ordered(named) or _for_whom(lowered, named)


def _ordered(named: list[Mention]) -> str | None:
    """Name the language of the last order; an order to translate comes with its text, where no order is looked for."""
    last = None
    for mention in named:
        if order.orders(mention) and _at_home(mention):
            last = _variant(mention.name, mention.before, mention.after)
            if mention is not named[-1] and _TRANSLATE.search(mention.before):
                break
    return last


_FOR = re.compile(r"\btranslat\w*\b[^.:?\n]{0,30}\bfor (?:my|our|the|an?|some|this|his|her|their) (?:\w+ )?$")


def _for_whom(text: str, named: list[Mention]) -> str | None:
    """Name the language of somebody for whom a text is translated: "translate this for my German landlord"."""
    first = named[0]
    return _variant(first.name, first.before, first.after) if _FOR.search(text, 0, first.start) else None


def mentions(instruction: Wording) -> list[Mention]:
    """Find where an instruction names a language: the first place and the last two."""
    named = NAMES.keys() & instruction.words
    if not named:
        return []
    text = instruction.lowered
    places = sorted({(at, word) for word in sorted(named)[:_NAMES_EXAMINED] for at in _places(text, word)})
    kept = [place for i, place in enumerate(places) if not _said_twice(text, places[i : i + 2])]
    return [
        Mention(NAMES[word], text, at, at + len(word), later=bool(i))
        for i, (at, word) in enumerate(kept[:1] + kept[1:][-2:])
    ]


def _said_twice(text: str, places: list[tuple[int, str]]) -> bool:
    """Say whether a name is the first half of the next: "Brazilian Portuguese"."""
    if len(places) < 2:
        return False
    (at, word), (after, other) = places
    return NAMES[word].tag == NAMES[other].tag and text[at + len(word) : after].isspace()


def _places(text: str, word: str) -> list[int]:
    """Find where a word stands first and where last."""
    found = []
    for find in (text.find, text.rfind):
        at = find(word)
        end = at + len(word)
        whole = not text[max(0, at - 1) : at].isalpha() and not text[end : end + 1].isalpha()
        whole = whole and not _NUMERALS.match(text, end) and not text.endswith(_DIGITS_OF, 0, at)
        noun = not NAMES[word].noun or _LANGUAGE_NOUN.match(text, end)
        if whole and noun and (word != _ITALY or text[:at].endswith(_FRENCH_IN)):
            found.append(at)
    return found


def _variant(name: Name, before: str, after: str) -> str:
    if name.tag != "zh-Hans":
        return name.tag
    near = before[-14:]
    if "simpl" in near[-11:] or "vereinfacht" in near:
        return name.tag
    traditional = "tradi" in near or "tradi" in after[:16] or "традиц" in near or "繁" in after[:12]
    return "zh-Hant" if traditional or "taiwan" in near else name.tag


def _at_home(mention: Mention) -> bool:
    """Say whether the form is a name where it stands: French `lettre` would be "into Latvian" in Hungarian."""
    name = mention.name
    if not name.ordinary and (not name.spoken or "en" in name.spoken or name.tag in name.spoken):
        return True
    around = f"{mention.before[-110:]} {mention.after[:80].partition(':')[0]}"
    if name.ordinary:
        weights = words.weigh(around)
        return not weights or max(weights, key=lambda tag: weights[tag]) not in name.ordinary
    found = words.count(around)
    best = max(found, key=lambda tag: found[tag], default="")
    return found.get(best, 0) < 2 or not name.spoken.isdisjoint(found)


_TRANSLATE_ELSEWHERE = re.compile(
    "(?=[翻转轉に訳英中韓日フドス译譯和邦번영옮تअभแתלμঅமఅಅവപઅਅთթተ])"  # first letters: `re` tries a choice one by one
    "(?:翻译|翻譯|翻一下|翻下|[转轉][成换換为為]+(?:繁|简|簡)[体體]|翻成|翻为|翻為|に訳|訳して|(?:英|中国|韓国|日本|フランス|ドイツ|スペイン)語に(?:して|直して|変えて)|[译譯][成为為]|翻訳|[英和邦中]訳|번역|영역해|옮겨"
    "|ترجم|अनुवाद|भाषांतर|แปล|תרגם|תרגמי|לתרגם|μετάφρασ|μεταφρ"
    "|অনুবাদ|மொழிபெயர்|అనువ|ಅನುವಾದ|വിവർത്തന|പരിഭാഷ|અનુવાદ|ਅਨੁਵਾਦ|თარგმნ|թարգման|ተርጉም)"
)


def translates(instruction: Wording) -> bool:
    """Say whether an instruction asks for a translation."""
    lowered, words_ = instruction.lowered, instruction.words
    if not lowered:
        return False
    if not _TRANSLATE_BEGINNINGS.isdisjoint([word[:5] for word in words_]) and _TRANSLATE.search(lowered):
        return True
    if not instruction.western and _TRANSLATE_ELSEWHERE.search(lowered):
        return True
    return not NAMES.keys().isdisjoint(words_) and directive_given.target(lowered) is not None


def label(text: str) -> str | None:
    """Read a line such as `French` that heads what comes next in a prompt to be continued."""
    kind, _, word = text.strip().lower().rpartition(" ")
    if kind not in ("", "traditional", "simplified", "brazilian"):
        return None
    name = NAMES.get(word)
    if name:
        return _variant(name, kind, "")
    return HAN_NAMES.get(word) or HANGUL_NAMES.get(word)
