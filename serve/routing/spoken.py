"""Names the language that the user speaks in a conversation, where no instruction names another one.

What was asked last decides; where it says too little, the answer before it; the system prompt last of all, and never
for English, since English ones stand before users of every language.
"""

import re

from serve.routing import directive, words
from serve.routing.asking import asking
from serve.routing.conversation import Conversation
from serve.routing.cyrillic import CYRILLIC
from serve.routing.language import UNDETERMINED, Identify, language_of, possible
from serve.routing.prose import Prose, edges, opening, read, without_messages
from serve.routing.reported import foreign_ends, language_around
from serve.routing.script import dominant
from serve.routing.wording import wording

ASKED = 300
"""Characters of an instruction that are read at either end."""

_SHORT_ANSWER = 30  # characters


def spoken(conversation: Conversation, prose: Prose, asked: str, identify: Identify) -> str:
    """Name the language of what is asked, or of what came before it where that can't be told, or `und`."""
    before = _before(conversation, identify)
    chinese = before if before in ("zh-Hant", "yue") else "zh-Hans"
    language = language_of(asking(without_messages(asked)), identify, chinese=chinese) if asked else UNDETERMINED
    if len(prose.paragraphs) > 1 and _is_doubtful(asked, language):
        whole = language_of("\n".join(prose.paragraphs), identify)
        if language == UNDETERMINED or (whole != UNDETERMINED and whole in possible(asked)):
            language = whole
    if language == UNDETERMINED and asked:
        language = _foreign(language_of(opening(asked), identify))
    if before in (language, UNDETERMINED):
        if language == UNDETERMINED and conversation.system and not prose.code:
            return _foreign(language_of(conversation.system, identify))
        return language
    if {language, before} == _HONG_KONG:
        return "yue"
    if language == UNDETERMINED or (_alike(asked, before) and _is_weak(asked, language)) or _opens_in(asked, before):
        return before
    if language in CYRILLIC and before in CYRILLIC and language in possible(edges(conversation.answer, 150)):
        return language  # a short answer that was taken for a neighbour's
    return before if _stays(conversation, language, before, identify) else language


_HONG_KONG = {"yue", "zh-Hant"}
"""Where both are spoken in a conversation, the few characters of one turn didn't tell that it is Cantonese."""


def round_message(conversation: Conversation, asked: str, language: str, identify: Identify) -> str:
    """The language of a question about code whose words are mostly a program's: of its ends, or the conversation's."""
    if not asked or language not in ("en", UNDETERMINED):
        return language
    around = language_around(asked, identify)
    if conversation.answer and len(asked) < _TERMS and (around != UNDETERMINED or foreign_ends(asked)):
        before = _before(conversation, identify)
        if before not in ("en", UNDETERMINED):
            return before
    return language if around == UNDETERMINED else around


_CHINESE = ("zh-Hans", "zh-Hant", "yue")
_SURE = 0.6  # probability at which even a short answer's language is believed


def _before(conversation: Conversation, identify: Identify) -> str:
    """The language of the answer before; where it is all code, or too short to tell, of what it answered."""
    if not conversation.answer:
        return UNDETERMINED
    answer = "\n".join(read(conversation.answer).paragraphs)
    if sum(map(str.isalpha, answer)) < 2:
        return _asked_before(conversation.earlier, identify)
    language = language_of(edges(answer, 150), identify, chinese="zh")
    if language == "zh":
        earlier = _asked_before(conversation.earlier, identify)
        return earlier if earlier in _CHINESE else "zh-Hans"
    mixed = answer[0] >= "\u0370" and dominant(answer[:_TERMS], latin_is_sentence=True).tag == "Latn"
    doubtful = len(answer) < _SHORT_ANSWER and identify(answer)[0][1] < _SURE
    if (doubtful or mixed) and conversation.earlier:
        earlier = _asked_before(conversation.earlier, identify)
        if earlier in possible(answer) or (mixed and _opens_in(answer[:_TERMS], earlier)):
            return earlier
    return language


def _asked_before(earlier: str, identify: Identify) -> str:
    """The language of a question, unless its words ask for another one."""
    asked = edges("\n".join(read(earlier).paragraphs), ASKED)
    order = wording(asked)
    if directive.translates(order) or directive.target(order):
        return UNDETERMINED
    return language_of(asked, identify)


def _alike(asked: str, before: str) -> bool:
    """Say whether what is asked could be written in the language of the answer before."""
    return asked.isascii() or before in possible(asked)


def _is_doubtful(asked: str, language: str) -> bool:
    """Say whether a paragraph is too little to tell by: Cyrillic languages need more, and a line of signs says none."""
    return language == UNDETERMINED or (language in CYRILLIC and len(asked) < _TERMS) or _is_weak(asked, language)


def _is_weak(asked: str, language: str) -> bool:
    """Say whether a few words, none of them a known one of the language, are no reason to leave the conversation's."""
    return len(asked) < 12 or (len(asked) < 25 and language not in words.count(asked))


_TERMS = 100  # characters of a follow-up that is mostly terms
_IDEOGRAPHIC = frozenset({"zh-Hans", "zh-Hant", "yue", "ja"})


def _opens_in(asked: str, before: str) -> bool:
    """Say whether a short follow-up begins in the script of the answer before, Latin terms or messages after it."""
    if asked.isascii() or len(asked) > _TERMS or asked[0] < "\u0370":
        return False
    letters = "".join(c for c in asked if c >= "\u0370" and c.isalpha())
    seen = possible(letters)
    same = before in seen or (before in _IDEOGRAPHIC and not seen.isdisjoint(("zh", *_IDEOGRAPHIC)))
    return same and (len(letters) > 1 or asked[1:2] == " ") and possible(asked) != seen


def _foreign(language: str) -> str:
    """English system prompts stand before users of every language: they tell nothing."""
    return UNDETERMINED if language == "en" else language


def _stays(conversation: Conversation, language: str, before: str, identify: Identify) -> bool:
    """Say whether the last answer's language holds, though the user now writes in another.

    So it is when the earlier question, too, was in the user's language and nothing in it asked for the other once: an
    instruction out of sight did. An instruction in it holds on if it says so. An answer whose words say more for the
    user's language than for its own was taken for another's by its names.
    """
    asked = edges("\n".join(read(conversation.earlier).paragraphs), ASKED)
    order = wording(asked)
    if directive.target(order) == before:
        single = directive.translates(order) and len(asked) < _ROLE
        return directive.lasts(asked) or (not single and _works_on(conversation.user))
    if directive.translates(order) or language_of(asked, identify) != language:
        return False
    said = words.weigh(conversation.answer)
    return said.get(language, 0.0) <= said.get(before, 0.0)


_CHANGE = 60  # characters of a wish about the answer before
_EASTERN_QUESTION = re.compile(
    "什么|什麼|甚麼|吗|嗎|怎么|怎麼|怎样|怎樣|会不会|會不會|是不是|能不能|为什么|為什麼|为何|為何|几个|幾個|哪"
    "|何です|ですか|ますか|なぜ|どう|どんな|って何|뭐|무슨|무엇|어떻게|왜|어떤|인가요|나요"
)  # questions of languages that often leave the mark out
_ROLE = 200  # characters of an order to translate that describes more than one text's translation


def _works_on(message: str) -> bool:
    """Say whether a follow-up wants the answer changed or carried on, and asks nothing new: "make it shorter"."""
    asks = message.rstrip().endswith(("?", "？")) or _EASTERN_QUESTION.search(message)
    return len(message) < _CHANGE and not asks
