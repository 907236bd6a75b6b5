"""Sorts a prompt to be continued: its end tells the language and the task of what comes next.

Reads a bounded end of it; what it can't tell is `und`.
"""

import re
from typing import Any

from serve.routing import directive
from serve.routing.language import UNDETERMINED, Identify, language_of
from serve.routing.prose import edges, read
from serve.routing.wording import wording

_LABELLED = 300  # characters read before a label


def completed(prompt: Any, identify: Identify) -> tuple[str, str]:
    """Name the language and the task of what comes next. Never raises."""
    prompt = _first_string(prompt)
    tail = prompt[-600:]
    prose = read(tail)
    text = "\n".join(prose.paragraphs)
    label = text.rpartition("\n")[2].rstrip()
    if label.endswith((":", "：")) and len(label) < 30:
        named = directive.label(label[:-1])
        if named:
            return named, "translation"
        if label[:-1].lower().endswith("json"):
            return language_of(text[:_LABELLED], identify), "json"
    if (prose.code or '"""' in tail) and len(text) < 40:
        return commented(tail, identify), "code"
    if _OPEN.search(tail) and _MARKED.search(prompt[-2_000:]):
        said = commented(edges(prompt), identify)
        if said != UNDETERMINED:
            return said, "code"
    order = wording(text)
    language = directive.target(order) if directive.translates(order) else None
    kind = "translation" if language else "code" if prose.code or tail.startswith(_OPENS_CODE) else "prose"
    return language or language_of(text[-240:], identify), kind


_OPENS_CODE = ("//", "-- ", "/*", "#!")
_OPEN = re.compile(
    r"(?:[{(]|\*/|\"{3}|'{3}|[=-]>)\s*\Z"
    r"|\n[ \t]*(?:def|fun|func|function|fn|sub|public|private|static|class|const|let|var|export)\b[^\n]*\s*\Z"
)
"""What code that is to be continued ends with."""
_MARKED = re.compile(r"^[ \t]*(?:/\*|//|\* |# )|\"{3}|'{3}", re.MULTILINE)
_COMMENT = re.compile(
    r"^[ \t]*(?:#(?!!)|//+|--|/?\*+)[ \t]+(?!>>>|\S+\(.*==)"
    r"([^\W\d_]\S* \S+[^;{\n]*|\S+ \S+ .*|.*[^\x00-\x7f]{4}.*)$",
    re.MULTILINE,
)
_DOCSTRING = re.compile(
    r"(?:\"{3}|'{3})\s*([^\"'\s]\S* .*?|[^\"'\x00-\x7f].*?)(?:\"{3}|'{3}|\n\s*(?:\n|>>>|:\w|@\w|Args)|\Z)", re.DOTALL
)


def commented(code: str, identify: Identify) -> str:
    """Name the language that comments and docstrings in front of code to be continued are written in, or `und`."""
    said = [*_COMMENT.findall(code)[:4], *_DOCSTRING.findall(code)[-2:]]
    return language_of(" ".join(said), identify)


def _first_string(prompt: Any) -> str:
    if isinstance(prompt, list) and prompt:
        prompt = prompt[0]
    return prompt if isinstance(prompt, str) else ""
