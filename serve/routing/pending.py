"""Tells a translation that was ordered before its text was there.

The order is answered in its own language, the text that follows it in the language ordered. Looks at short messages
alone, so that an order with its text is never taken for one.
"""

import re

_ANNOUNCES = re.compile(
    r"\b(?:following|next|these|this) (?:sentence|text|paragraph|passage|phrase|word|message)s?\b"
    r"|以下|下面|下列|次の文|次の文章|다음 (?:문장|글|텍스트)"
    r"|\bfolgende[nrs]?\b|\bsuivante?s?\b|\bsiguientes?\b|\bseguintes?\b|\bseguente\b|\bследующ",
    re.IGNORECASE,
)
_LONGEST = 80  # characters of an order without a text
_QUESTION = 200  # characters of an answer that asks for the text


def announces(message: str) -> bool:
    """Say whether a message speaks of a text that it doesn't hold."""
    order = message.strip().rstrip(".:。：!！")
    if not 0 < len(order) <= _LONGEST or any(mark in order for mark in ':：\n"“«「'):
        return False
    return bool(_ANNOUNCES.search(order))


def awaited(earlier: str, answer: str) -> bool:
    """Say whether the message after these two is the text that the first one announced and the second asked for."""
    return bool(answer) and len(answer) <= _QUESTION and announces(earlier)
