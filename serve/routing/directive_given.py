"""Finds the language that a given text shall be put into, without "translate": "say this in Spanish: ...".

Knows no other kind of instruction, but says whether one is meant to last. Looks at the beginning of the text only.
"""

import re

from serve.routing.inflection import NAMES

_TEXT_GIVEN = re.compile(
    r"\b(?:put|say|express|write|render|diz|dizer|passa|passe|coloca|põe|pon|mets|metti|dice|digo"
    r"|decir|dire|dit|dis|sagt|sage|sag"
    r"|schreib|heißt|zeg|säger|sier"
    r"|siger|powiedzieć|сказать|будет)\b[^.:\n]{0,12}\b(?:this|that|it|following|isto|isso|esto|eso"
    r"|ça|cela|ceci|das|dies"
    r"|questo|detta|det|dette|to|это)\b[^.:\n]{0,12}?(?:\b(?:in|into|em|en|auf|på|po|по|pra"
    r"|para)\b[\s-]+)(?:\w+ )??(\w+)"
    r"[^.:\n\"']{0,40}[:\"'«“]"
    r"|\bsay this in (\w+)\W*$"
)
_PASSED = re.compile(
    r"\b(?:pás[ae](?:me|lo|la|nos)\w*|pasa(?:me|lo|la|r?lo)\w*|pon(?:me)?lo|ponme|passa-me"
    r"|passem?[ -](?:moi|le|la|nous)|mets[ -](?:moi|le|la)|passami|mettimi|mettilo)"
    r"(?:[ -](?:esto|eso|esta|este|isto|isso|questo|ça|cela|ceci|ce|le|la|lo|texto?|frase|mensaje|testo|texte)){0,3}"
    r" (?:al?|en|em|in|para|ao?|pro) (?:(?:el|le|o) |l['’])?(\w+)"
)
_HEADED = re.compile(r"\W*(?:ins|into) (\w+)(?: (?:bitte|please))?\W")
_SAYS = re.compile(r"\bwhat (?:does|do) (?:this|it|that|these|the \w+) (?:text )?says? in (\w+)")


def target(text: str) -> str | None:
    """Name the language that a text in lower case is to be put into, or say that there is none."""
    start = text[:200]
    match = _TEXT_GIVEN.search(start) if ":" in text or "this in" in text or not text.isascii() else None
    if not match and ("pas" in start or "pás" in start or "me" in start or "pon" in start):
        match = _PASSED.search(start)
    match = match or _HEADED.match(start) or (_SAYS.search(start) if " say in " in start else None)
    name = NAMES.get(next(filter(None, match.groups()), "")) if match else None
    return name.tag if name else None


_LASTS = re.compile(
    r"from (?:now|here) on|\bnow (?:in|reply|answer|speak|write)\b|\bnow\W*$"
    r"|\blet'?s (?:speak|talk|chat|switch|continue|do)\b|\bswitch to\b|always|for the rest"
    r"|every (?:time|answer|message)|all (?:your|further|future)|throughout|ab jetzt|ab sofort|jetzt auf|lass uns"
    r"|immer|maintenant en|ahora en|adesso in|agora em|nu på|nå på|teraz po|а теперь|à partir de maintenant|désormais"
    r"|toujours|a partir de ahora|siempre"
    r"|d'ora in poi|sempre"
    r"|a partir de agora|vanaf nu|altijd|alltid|altid|aina|mindig|zawsze|vždy|mereu|her zaman"
    r"|从现在|從現在|以后|以後|接下来|接下來|始终|一律|以降|今後|これから|常に|すべて|앞으로|지금부터"
    r"|항상|теперь|всегда|отныне|завжди"
)


def lasts(text: str) -> bool:
    """Say whether an instruction is meant for the rest of the conversation."""
    return bool(_LASTS.search(text.lower()))
