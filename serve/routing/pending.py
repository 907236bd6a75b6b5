"""Tells a translation that was ordered in the turn before: its text came later, or another text comes after it.

An order without its text is answered in its own language, the text that follows in the language ordered. An order with
its text holds for the next message too if that is a text of the same language, and asks the assistant nothing.
"""

import re

from serve.routing import directive
from serve.routing.wording import Wording, wording

_ANNOUNCES = re.compile(
    r"\b(?:following|next|these|this) (?:sentence|text|paragraph|passage|phrase|word|message)s?\b"
    r"|以下|下面|下列|次の文|次の文章|다음 (?:문장|글|텍스트)"
    r"|\bfolgende[nrs]?\b|\bsuivante?s?\b|\bsiguientes?\b|\bseguintes?\b|\bseguente\b|\bследующ",
    re.IGNORECASE,
)
_ALL_THAT_COMES = (
    "everything i ", "whatever i ", "anything i ", "all i send", "each message", "every message", "alles, was ich",
    "alles was ich", "tout ce que j", "todo lo que", "tutto quello che", "tudo o que", "все, что я", "всё, что я",
)  # fmt: skip
_LONGEST = 80  # characters of an order without a text
_QUESTION = 200  # characters of an answer that asks for the text


def announces(message: str) -> bool:
    """Say whether a message speaks of a text that it doesn't hold."""
    order = message.strip().rstrip(".:。：!！")
    if not 0 < len(order) <= _LONGEST or any(mark in order for mark in ':：\n"“«「'):
        return False
    lowered = order.lower()
    return any(text in lowered for text in _ALL_THAT_COMES) or bool(_ANNOUNCES.search(order))


def awaited(earlier: str, answer: str) -> bool:
    """Say whether the message after these two is the text that the first one announced and the second asked for."""
    return bool(answer) and len(answer) <= _QUESTION and announces(earlier)


_ANOTHER_HEAD = 32  # characters
_ANOTHER = re.compile(
    r"(?:and|now|next|same|also|then|again|another|one|more|this|that|these|it|the|for|with|do|too|please|pls|sentence"
    r"|line|message|text|und|jetzt|nun|das|dies|diesen|diese|hier|auch|bitte|noch|der|nächste|nächster|satz|ebenso"
    r"|et|maintenant|celui|celle|ci|ça|ceci|aussi|pareil|pour|phrase|suivant|suivante|y|ahora|esto|esta|este|también|lo"
    r"|mismo|con|para|siguiente|frase|la|el|e|agora|isto|isso|também|mesmo|ora|adesso|questo|questa|anche|stesso|per"
    r"|en|nu|dit|deze|ook|och|den|här|også|denne|i|teraz|to|też|a|teď|tohle|ve|şimdi|bunu|da|и|а|теперь|это|вот|также"
    r"|тоже|це|теж|[\s,])+"
    r"|(?:还有|還有|那|再来|再來|这句|這句|这个|這個|这条|下一句|也|呢|改一下|译一下|次|これ|この文|も|では|お願いします|그리고|이것도|이것|다음|도|[\s,，、])+"
)


def another(message: str) -> str:
    """Cut out the text after "and this:", an order that repeats the one before; empty if there is none."""
    head, found, text = message[: _ANOTHER_HEAD + 1].replace("：", ":").partition(":")
    if not found or not text.strip() or not _ANOTHER.fullmatch(head.strip().lower()):
        return ""
    return message[len(head) + 1 :].strip()


_GIVEN = re.compile(r"[:：\n]\s*|(?<=[?？])\s*(?=\S)")
_LONGEST_TEXT = 400  # characters of a message that is taken for the next text
_ASKS = re.compile(
    r"[?？]\s*$|^\W*(?:and|now|tell|explain|give|write|make|show|list|suggest|what|why|how|which|who|is|are|can|could|do"
    r"|does|und|jetzt|erklär|gib|schreib|mach|nenn|et|maintenant|explique|donne|écris|fais|y|ahora|explica|da|dame"
    r"|escribe|haz|e|ora|spiega|scrivi|fammi|agora|escreva|faça|а|и|теперь|объясни|напиши|сделай|расскажи)\w*\b"
    r"|^(?:[请請](?!各位|大家|所有)|那|再|把|给我|帮|解释|写|换|改|もっと|では|教えて|더|그럼)",
    re.IGNORECASE,
)
_OF_IT = re.compile(
    r"[\"“«„「]|\b(?:thanks?|thx|dank\w*|merci|gracias|obrigad[oa]|grazie|bedankt|tack|takk?|dzięk\w*|спасибо|дякую"
    r"|translat\w*|übersetz\w*|tradu\w*|vertal\w*|перев[её]\w*|word|wort|mot|palabra|parola|palavra|слово"
    r"|formal\w*|informal\w*|förmlich\w*|formel\w*|shorter|kürzer|means?|bedeutet|heißt|signifi\w*|pronunc\w*"
    r"|pronounc\w*|ausgesprochen|alternativ\w*|grammati\w*|gramáti\w*)\b"
    r"|谢|翻译|翻譯|意思|发音|単語|翻訳|意味|ありがと|번역|감사|고마",
    re.IGNORECASE,
)


def given(order: str) -> tuple[str, str]:
    """Split an order to translate from the text that it gives; the latter is empty if it gives none."""
    parts = _GIVEN.split(order.strip(), maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 else (order, "")


def may_go_on(earlier: str, answer: str, message: Wording) -> bool:
    """Say whether an order to translate, given with its text, may hold for a message that names no task."""
    if not earlier or not answer or not 1 < len(message.text) <= _LONGEST_TEXT:
        return False
    if not any(mark in earlier for mark in ":：\n?？"):
        return False
    order, text = given(earlier[:_LONGEST_TEXT])
    if not text or len(order) > _LONGEST or not directive.translates(wording(order)):
        return False
    return not _OF_IT.search(message.lowered)


def may_ask(message: str) -> bool:
    """Say whether a message in the order's own language may be meant for the assistant: asks, or tells to do."""
    return bool(_ASKS.search(message))
