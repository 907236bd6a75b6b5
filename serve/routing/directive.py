"""Finds the language that an instruction asks the answer to be in: "answer in Chinese", "auf Deutsch", "用英文回答".

Finds the names of languages first, by look-up, and examines the sentence round a few of them only: most requests name
no language and must not pay for the rest. Naming a language is not asking for it: "how do you say it in Japanese?"
stays a question in English.
"""

import re
from dataclasses import dataclass

from serve.routing import directive_cjk, directive_clause, directive_given, directive_other, words
from serve.routing import directive_words as listed
from serve.routing.directive_clause import MODAL, MUST, STATES, TOLD
from serve.routing.directive_given import lasts as lasts
from serve.routing.inflection import HAN_NAMES, HANGUL_NAMES, NAMES, Name
from serve.routing.wording import Wording


def _stems(listed: str) -> re.Pattern[str]:
    """Match the beginnings of words. Grouped by first letter, for `re` tries the branches of a choice one by one."""
    rests: dict[str, list[str]] = {}
    for stem in sorted({stem.replace("_", " ") for stem in listed.split()}, reverse=True):
        rests.setdefault(stem[0], []).append(re.escape(stem[1:]))
    choices = [f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items()]
    return re.compile(rf"\b(?=[{''.join(rests)}])(?:{'|'.join(choices)})")


def _whole(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TRANSLATE = re.compile(f"(?!{listed.TRANSLATED}){_stems(listed.TRANSLATE).pattern}")
_ASK = re.compile(f"(?!{listed.TOLD}){_stems(listed.ANSWER).pattern}")
_LANGUAGE_NOUN = re.compile(rf"\W*(?:{'|'.join(listed.LANGUAGE_NOUN.split())})")
_PREPOSITIONS = _whole(listed.PREPOSITIONS)
_FROM = _whole(listed.FROM)
_NO_MODIFIER = _whole(listed.NO_MODIFIER)
_NOT = re.compile(rf"\b(?:{'|'.join(listed.NOT.split())})\s+(?:\w+\s+){{0,2}}$")
_WORD = re.compile(r"[^\W\d_]+")
_EASTERN, _OTHER = re.compile("[\u2e80-\ud7ff]"), re.compile("[\u0370-\u03ff\u0530-\u1fff]")  # where such names stand
_TRANSLATE_BEGINNINGS = frozenset(stem[:3] for stem in listed.TRANSLATE.split())
_ENDS = ".!?\n;。！？；"
_NAMES_EXAMINED = 6
_AROUND = 110  # characters before a name

# Talk about a language, or a question that happens to name one.
_ABOUT = re.compile(
    r"\b(?:how (?:do|would|can|to|should|is|are)|what(?:'s| is| are| does| do)|when (?:was|did|is)|which|who|why"
    r"|(?:was|were|is|(?<!you )are|did|does|do|has|have) (?!not\b)|diff?[ée]ren[czç]|grammar|tense|conjugat"
    r"|pronounc|pronunciation|mean[st]?\b|word for|learn|study"
    r"|warum|wieso|weshalb|pourquoi|por qu[eé]|waarom|varför|hvorfor|dlaczego|proč|miért|neden|почему|чому"
    r"|wie (?:heißt|sagt|lautet|lern)|was (?:heißt|bedeutet|ist)|unterschied|lern"
    r"|comment (?:dit|on|dire|se dit)|que veut dire|combien|apprend|cómo|cuál|cuánt|qué significa"
    r"|aprend|como se|o que"
    r"|qual|come si|cosa|impar|imparare|hoe zeg|wat betekent|leren|hur säger|vad betyder|lära|hvordan sier|hva betyr"
    r"|hvordan siger|jak się|jak je|jak se|co znaczy|co znamená|kako se|nasıl denir|ne demek|ucz|naucz|miten sanotaan"
    r"|hogy mondj|hogyan mondj|cum se (?:spune|zice)|như thế nào|bagaimana)"
    r"|как (?:сказать|будет|выуч|по|учить|се каз)|що означає|як (?:сказати|буде)|что значит|выуч|изуч|сколько"
)
_NEXT_IS_PROSE = re.compile(
    r"\W*$|\s*[^\w\s]|\s+(?:please|only|language|and|with|about|for|on|to|using|from|what|who|how|why|where"
    r"|when|so|as|at|by|unless|regardless|always|is|then|in|your|my|this|it|text|translation|translator|\d"
    r"|bitte|the|a|an|of|that|which|but|if|instead|version|now|not|except|even|whatever|characters|script"
    r"|per|grazie|graag|alsjeblieft|perché|anche|senza|con|e|ma|usando|omdat|ook|maar|zonder"
    r"|un|una|il|la|een|het|de|ein|eine|einen|einem|uit|wat|was|warum|wie|perché|cosa|che|este|esta|ce|cette)\b"
)
_ALONE_BEFORE = re.compile(
    r"(?:^|[,:;(\[—–\-\n.!?]|\b(?:now|again|but|only|again,|then|same|and|repeat|fine|ok|okay))\s*$"
)
_ALONE_AFTER = re.compile(
    r"[\s),\]]*(?:please|pls|plz|bitte|por favor|s'il (?:te|vous) pla[iî]t|svp|stp|per favore"
    r"|language|thanks|only|now"
    r"|instead|alsjeblieft|tack|proszę|prosím|kiitos|kérlek|пожалуйста|будь ласка)?[\s.!)\]]*(?:[.!:;\n,]|$)"
)
_NAMED = re.compile(
    r"(?:language|langue|sprache|idioma|lingua|язык)(?: is| must be| should be)?\s*[:=]\s*$"
    r"|(?:\bonly(?: use| speak)?|\buse|(?<!you )(?<!can )(?<!who )(?<!to )(?<!i )(?<!we )(?<!they )\bspeak)\s+"
    r"(?:simplified |traditional |brazilian )?$"
)
_SPEAKS = re.compile(
    rf"(?:(?:^|[,:;—–])\s*(?:{listed.SPEAK})|(?:^|[,:;—–]|\b(?:{listed.AND}))\s*(?:{listed.SPEAK}|{listed.USE})"
    rf"(?= (?:(?:{listed.WITH_ME}) )?(?:{listed.ONLY})))"
    rf"(?: (?:{listed.WITH_ME}))?(?: (?:{listed.ONLY}))*\s+(?:el |le |la |o |l['’])?$"
)
_SPEAKS_ON = re.compile(rf"[^\w?]*$|\s*[^\w\s?]|\s+(?:{listed.SPOKEN_ON})\b")
_TEXT_KIND = re.compile(
    r"\s+(?:poem|essay|letter|e-?mail|mail|story|text|sentence|paragraph|summary|version"
    r"|translation|song|haiku|speech"
    r"|brief|gedicht|nachricht|fassung|übersetzung|zusammenfassung)"
)
_VERSION = re.compile(
    r"\s+(?:translation of|vertaling van|übersetzung von|översättning av|oversettelse av|oversættelse af)\b"
)
_WRITE = re.compile(r"\b(?:write|compose|draft|give me|create|schreib|verfass|make|provide)\w*\W+(?:\w+\W+){0,3}$")
_USERS_OWN = re.compile(
    r"same language as|in (?:the )?(?:same language|language (?:of|that|used by|the user)"
    r"|(?:the )?user'?s (?:own |native )?language)"
    r"|in (?:whatever|any|whichever) language|match(?:es|ing)? the (?:user'?s )?language"
    r"|in der sprache de[sr]|dans la langue d|en el idioma del? |en el mismo idioma|na língua do|nella lingua d"
)
_THOUGH = re.compile(
    r"\b(?:even if|even when|même si|même quand|auch wenn|selbst wenn|aunque|anche se|mesmo (?:se|que)|даже если)\b"
    r"|\b(?:may|might|can|or) (?:write|speak|ask)\b[^.]*$"
)


_ITALY, _FRENCH_IN = "italien", ("en ", "l'", "l’")  # a country in German and Scandinavian


@dataclass(frozen=True, slots=True)
class _Mention:
    name: Name
    before: str
    after: str


def target(instruction: Wording) -> str | None:
    """Name the language that a piece of an instruction asks for, or say that it asks for none."""
    lowered = instruction.lowered
    if not lowered:
        return None
    if not lowered.isascii():
        found = (_EASTERN.search(lowered) and directive_cjk.target(lowered)) or (
            _OTHER.search(lowered) and directive_other.target(lowered)
        )
        if found:
            return found
    found = directive_other.headed(lowered)
    if found:
        return found
    named = NAMES.keys() & instruction.words
    mentions = _mentions(lowered, named) if named else []
    if not mentions or _USERS_OWN.search(lowered):
        return None
    last = directive_given.target(lowered)
    if last:
        return last
    for mention in mentions:
        if (not last or _orders_anew(mention)) and _asks(mention) and _at_home(mention):
            last = _variant(mention)
            if _TRANSLATE.search(mention.before):
                break
    return last


def _orders_anew(mention: _Mention) -> bool:
    """Say whether a name after an order is in one of its own: "..., the text is in English" states a fact."""
    clause = directive_clause.last(mention.before)
    if directive_clause.cut_short(clause) or _TRANSLATE.search(mention.after[:24]):
        return True
    orders = _ASK.search(clause) or _TRANSLATE.search(clause) or _SPEAKS.search(clause)
    return bool(orders) and not directive_clause.states(clause)


def _mentions(text: str, named: set[str]) -> list[_Mention]:
    """Cut out the sentences round the first and the last two names."""
    places = sorted({(at, word) for word in sorted(named)[:_NAMES_EXAMINED] for at in _places(text, word)})
    return [_mention(text, at, word) for at, word in places[:1] + places[1:][-2:]]


def _places(text: str, word: str) -> list[int]:
    """Find where a word stands first and where last."""
    found = []
    for find in (text.find, text.rfind):
        at = find(word)
        end = at + len(word)
        whole = not text[max(0, at - 1) : at].isalpha() and not text[end : end + 1].isalpha()
        if whole and (word != _ITALY or text[:at].endswith(_FRENCH_IN)):
            found.append(at)
    return found


def _mention(text: str, start: int, word: str) -> _Mention:
    end = start + len(word)
    begin = max(max(text.rfind(c, max(0, start - _AROUND), start) for c in _ENDS) + 1, start - _AROUND, 0)
    stop = min((i for c in _ENDS if (i := text.find(c, end, end + 80)) >= 0), default=min(len(text), end + 80))
    return _Mention(NAMES[word], text[begin:start], text[end : stop + 1])


def _variant(mention: _Mention) -> str:
    tag = mention.name.tag
    if tag != "zh-Hans":
        return tag
    near = mention.before[-14:]
    if "simpl" in near[-11:] or "vereinfacht" in near:
        return tag
    traditional = "tradi" in near or "tradi" in mention.after[:16] or "традиц" in near or "繁" in mention.after[:12]
    return "zh-Hant" if traditional or "taiwan" in near else tag


def _asks(mention: _Mention) -> bool:
    before, after = mention.before, mention.after
    noun = _LANGUAGE_NOUN.match(after)
    if mention.name.noun and not noun:
        return False
    if _SPEAKS.search(before) and _SPEAKS_ON.match(after):
        return True
    before = directive_clause.own(before)
    preceding = _WORD.findall(before)
    if _NOT.search(before[-40:]) or _THOUGH.search(before):
        return False
    if _NAMED.search(before[-40:]):
        return not _ABOUT.search(before)
    if (_TEXT_KIND.match(after) and _WRITE.search(before[-60:])) or (
        _VERSION.match(after) and not _ABOUT.search(before)
    ):
        return True
    if after.startswith((" only", " please")) and _ALONE_BEFORE.search(before[-12:]):
        return True
    if noun:
        after = after[noun.end() :]
    head = _before_preposition(before, preceding)
    if head is None:
        return mention.name.adverb and _adverb_asks(before, after)
    return _preposition_asks(before, after, head)


def _at_home(mention: _Mention) -> bool:
    """Say whether the form is a name where it stands: French `lettre` would be "into Latvian" in Hungarian."""
    name, around = mention.name, f"{mention.before} {mention.after.partition(':')[0]}"
    if name.ordinary:
        weights = words.weigh(around)
        return not weights or max(weights, key=lambda tag: weights[tag]) not in name.ordinary
    found = words.count(around)
    best = max(found, key=lambda tag: found[tag], default="")
    anywhere = not name.spoken or "en" in name.spoken or name.tag in name.spoken
    return anywhere or found.get(best, 0) < 2 or not name.spoken.isdisjoint(found)


def _before_preposition(before: str, preceding: list[str]) -> str | None:
    """Cut off "in", or "in simple modern", before a name; `None` if no preposition goes before it."""
    for back, word in enumerate(reversed(preceding[-4:]), start=1):
        if word in _PREPOSITIONS and (back == 1 or len(word) > 1):
            return before[: before.rfind(word)]
        if word in _FROM:
            return None
        if word in _NO_MODIFIER and not (
            preceding[-back - 1 : -back] and preceding[-back - 1] in _PREPOSITIONS and back > 1
        ):
            return None
    return None


def _adverb_asks(before: str, after: str) -> bool:
    if _ASK.search(after[:40].partition(",")[0].partition(":")[0]):
        before = directive_clause.last(before)
    if not before.strip(" ,-–—(") and _ALONE_AFTER.match(after):
        return True
    if (not after.strip(" .!\n") or after.startswith(":")) and not (_ABOUT.search(before) or STATES.match(before)):
        return True
    whole = before + after
    return bool(_TRANSLATE.search(whole) or _ASK.search(whole)) and not _ABOUT.search(before)


def _preposition_asks(before: str, after: str, head: str) -> bool:
    if _ALONE_BEFORE.search(head[-12:]) and _ALONE_AFTER.match(after):
        return True
    if _TRANSLATE.search(before) or _TRANSLATE.search(after[:24]):
        return not _ABOUT.search(head) or bool(MODAL.search(before))
    if (_ABOUT.search(before) and not MODAL.search(before)) or (STATES.match(before) and TOLD.search(before)):
        return False
    if not after.strip(" .!)\n") and (MUST.search(before) or not STATES.match(before)):
        return True
    english = head != before and before[len(head) :].split()[0] in ("in", "into", "to", "using")
    return bool(_ASK.search(before) or _ASK.search(after)) and bool(_NEXT_IS_PROSE.match(after) or not english)


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
    if not _TRANSLATE_BEGINNINGS.isdisjoint([word[:3] for word in words_]) and _TRANSLATE.search(lowered):
        return True
    if not lowered.isascii() and _TRANSLATE_ELSEWHERE.search(lowered):
        return True
    return not NAMES.keys().isdisjoint(words_) and directive_given.target(lowered) is not None


def label(text: str) -> str | None:
    """Read a line such as `French` that heads what comes next in a prompt to be continued."""
    kind, _, word = text.strip().lower().rpartition(" ")
    if kind not in ("", "traditional", "simplified", "brazilian"):
        return None
    name = NAMES.get(word)
    if name:
        return _variant(_Mention(name, kind, ""))
    return HAN_NAMES.get(word) or HANGUL_NAMES.get(word)
