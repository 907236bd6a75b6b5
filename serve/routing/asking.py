"""Finds the part of a text in two scripts that asks: "translate this pls 明日の会議は", "这封日文邮件帮我翻一下：".

The words that ask show the answer's language, however much foreign material they stand beside. Without words that ask
the text stays whole, so that terms and names in another script change nothing.
"""

import re

from serve.routing import words
from serve.routing.script import dominant

_NOT_LATIN = re.compile(
    r"[^\x00-\u024f\u1e00-\u1eff\u2000-\u20ff\u2100-\u2bff\u3000-\u301f\uff00-\uff20\ufe0f\U0001f000-\U0001faff]+"
)
_LATIN_WORD = re.compile(r"[A-Za-z]{2}")
_LAST_LATIN = "\u024f"
_PHRASE = re.compile(r"\W*[^\W\d_]+ [^\W\d_]+[\W\d]*$")  # two words and no more
_NAME = 16  # letters of a name or word in the midst of a Latin sentence
_SENTENCE = 2.5  # of `words.weigh`
_TITLE = 3  # words
_TOLD = 3  # letters that nobody writes who doesn't speak the language, beside a title in Latin letters
_ORDERS = re.compile(
    r"\b(?:what|how|why|which|who|when|where|is|are|can|could|should|would|do|does|did|please|pls|plz|explain|tell|write|reply"
    r"|answer|summari[sz]e|sum|fix|make|give|list|correct|check|convert|create|find|show|continue|describe|rewrite|shorten"
    r"|improve|proofread|classify|extract|name|about|of|in|from|for|hello|hi|hey|thanks|was|wie|warum|bitte|und|der|die|das|ist"
    r"|comment|pourquoi|que|le|la|les|est|cómo|el|los|es|como|o|come|il|hoe|jak|czy|co|nasıl|apa)\b",
    re.IGNORECASE,
)
# Words for what one does with foreign words, in Latin script.
_OF_WORDS = re.compile(
    r"\b(?:translat|mean|say(?:s|ing)?\b|said\b|pronounc|pronunciation|differen|word\b|phrase\b|sentence\b|characters?\b"
    r"|kanji\b|symbol|read this|correct\b|übersetz|bedeut|heißt|heisst|unterschied|wort\b|satz\b|ausgespr|aussprech"
    r"|tradu[czi]|signifi|veut dire|mot\b|phrase|prononc|diferen|palabra|frase|quiere decir|quer dizer|palavra|parola"
    r"|vuol dire|pronunci|verta+l|betek|woord|översätt|betyd|betyr|oversæt|oversett|ord\b|przetłum|tłumacz|znaczy|słowo"
    r"|přelož|znamená|slovo|käännä|tarkoitta|fordít|jelent|çevir|demek|anlam|kelime|nghĩa|dịch|terjemah|artinya|tradu)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:what|how|why|which|who|when|where|is (?:it|this|that)|can (?:you|u)|could you|please|pls|plz|should i"
    r"|explain|tell me|write|reply|answer|was|wie|warum|bitte|kannst du|comment|pourquoi|que|peux-tu|stp|cómo|qué|porfa"
    r"|puedes|como|você|come|cosa|puoi|hoe|waarom|kun je|hur|hvordan|jak|czy|proszę|co|nasıl|lütfen|apa)\b",
    re.IGNORECASE,
)
# Words that ask in the other scripts; the second list is of those that speak of words themselves.
_ASKS_ELSEWHERE = re.compile(
    "(?=[吗嗎呢帮幫请請什怎如为解写给推看报報教でく下っとし주해알뭐무어왜설чкпонрщكلاچक्कबस])"
    "(?:[吗嗎呢帮幫请請]|什么|什麼|怎么|怎麼|如何|为什么|解释|写|给我|推荐|看看|报错|報錯|教え|ですか|ください|下さい"
    "|って何|とは|して$|주세요|해줘|알려|뭐|무엇|어떻게|왜|설명"
    "|\\b(?:что такое|как|почему|объясни|напиши|помоги|подскажи|расскажи|посоветуй|що|чому)\\b"
    "|كيف|لماذا|اشرح|اكتب|چگونه|چرا|چطور|क्या|कैसे|बताओ|समझा)"
)  # first letters before the choice: `re` tries one by one
_OF_WORDS_ELSEWHERE = re.compile(
    "(?=[翻译意怎区區訳違言読번뜻의차пзорتيمअ])"
    "(?:翻译|翻譯|翻一下|翻成|译成|(?<!好)意思|怎么说|怎麼說|怎么读|怎麼讀|区别|區別|翻訳|訳して|意味|違い|言い方|読み方"
    "|번역|뜻|의미|차이|перев[её]|\\bзначит|означа|разница|переклад|різниц|ترجم|يعني|معنى|ترجمه|معنی|مطلب"
    "|अनुवाद|मतलब|अर्थ)"
)


def asking(text: str) -> str:
    """Cut out the part that asks, or return the text as it is."""
    if text.isascii() or len(text.encode("latin-1", "ignore")) == len(text) or not _NOT_LATIN.search(text):
        return text
    colon = "：" if "：" in text else ":"
    if colon in text:
        head, _, rest = text.partition(colon)
        if _before_material(head, rest):
            return head
    return _among_material(text) if _LATIN_WORD.search(text) else text


def _before_material(head: str, rest: str) -> bool:
    """Say whether what stands before a colon asks about what comes after it, which is in another script."""
    if len(head) < 4 or len(rest) < 4:
        return False
    if not (_ASKS_ELSEWHERE.search(head) or _OF_WORDS_ELSEWHERE.search(head)):
        return False
    before, after = dominant(head, latin_is_sentence=True), dominant(rest, latin_is_sentence=True)
    return before.letters >= 4 and after.letters >= 4 and before.tag not in ("Latn", after.tag)


def _among_material(text: str) -> str:
    """Cut to the Latin words of a text or to the others, if the one ask, the others don't or are in their midst."""
    runs: list[str] = _NOT_LATIN.findall(text)
    latin, other = _NOT_LATIN.sub(" ", text), " ".join(runs)
    letters = [c for c in text if c.isalpha()]
    opens, closes = letters[0] > _LAST_LATIN, letters[-1] > _LAST_LATIN
    of_words, of_others = _OF_WORDS.search(latin), _OF_WORDS_ELSEWHERE.search(other)
    asked = bool(of_others or _ASKS_ELSEWHERE.search(other))
    hits = max(words.count(latin).values(), default=0)
    if (
        of_words
        and not of_others
        and hits
        and (hits >= 2 or not asked or _PHRASE.match(latin))
        and not (opens and closes)
    ):
        return latin
    if asked and (opens or closes):
        return text if of_words else other
    if not of_words and len(other) >= _TOLD and (closes or opens) and _titled(latin):
        return other
    if of_others or opens:
        return text
    if hits >= 2 and _ASKS.search(latin):
        return latin
    named = not closes and len(runs) == 1 and len(other) < _NAME
    return latin if named and max(words.weigh(latin).values(), default=0.0) >= _SENTENCE else text


def _titled(latin: str) -> bool:
    """Say whether Latin words are several and ask for nothing, as a title's or a message's."""
    return len(_LATIN_WORD.findall(latin)) >= _TITLE and not _ORDERS.search(latin)
