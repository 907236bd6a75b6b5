"""Which conversation a payload goes on with, and how long its prefix is: what an engine's prefix cache is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ASCII, _OTHER = 4.0, 1.5
"""Characters a token: about right for English, and for Chinese."""
_OPENING = 2_000  # characters of a message that tell conversations apart
_MESSAGES = 400


@dataclass(frozen=True, slots=True)
class Prefix:
    """A conversation, known by how it began, and about how many tokens came before the newest message."""

    conversation: int
    tokens: int


def prefix_of(payload: Mapping[str, Any]) -> Prefix | None:
    """Recognise the conversation of a chat, by its first messages up to the user's; None if there are none.

    Never raises whatever JSON comes.
    """
    messages = payload.get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    opening: list[str] = []
    for message in messages[:_MESSAGES]:
        if not isinstance(message, Mapping):
            return None
        opening.append(_text(message)[:_OPENING])
        if message.get("role") == "user":
            break
    tokens = sum(_tokens(_text(message)) for message in messages[-_MESSAGES:-1] if isinstance(message, Mapping))
    return Prefix(hash(tuple(opening)), int(tokens))


def _tokens(text: str) -> float:
    return len(text) / (_ASCII if text.isascii() else _OTHER)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else repr(content) if isinstance(content, list) else ""
