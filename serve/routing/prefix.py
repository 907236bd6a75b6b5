"""Which conversation a payload goes on with, and how long its prefix is: what an engine's prefix cache is worth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from serve.routing.shapes import as_chat

_ASCII, _OTHER = 4.0, 1.5
"""Characters a token: about right for English, and for Chinese."""
_OPENING = 2_000  # characters of a message that tell conversations apart
_MESSAGES = 400
_MEDIA = frozenset({"url", "data"})
"""Fields whose text is no text: a picture's address or bytes in an OpenAI or Anthropic part, a sound's bytes."""
_SEEN = 280 * int(_ASCII)
"""Characters that a picture counts for: as many as the tokens that Gemma 4 sees of it (`default_output_length`)."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A conversation, known by how it began, and about how many tokens came before the newest message."""

    conversation: int
    tokens: int


def prefix_of(payload: Mapping[str, Any]) -> Prefix | None:
    """Recognise the conversation of a chat, by its first messages up to the user's; None if there are none.

    One that goes on from a stored response is known by that response's name; what came before it isn't in the payload.
    Never raises whatever JSON comes.
    """
    stored = payload.get("previous_response_id")
    if isinstance(stored, str):
        return Prefix(after(stored), 0)
    messages = payload.get("messages")
    if messages is None and "input" in payload:
        messages = as_chat(payload, "responses")["messages"]
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
    return Prefix(_name(opening), int(tokens))


def _name(opening: list[str]) -> int:
    """Give a number that is the same in every router and after every start, as Python's own hash isn't."""
    digest = blake2b("\0".join(opening).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def after(response: str) -> int:
    """Name the conversation that goes on from a stored response."""
    return hash(("response", response[:_OPENING]))


def _tokens(text: str) -> float:
    return len(text) / (_ASCII if text.isascii() else _OTHER)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else "".join(_pieces(content)) if isinstance(content, list) else ""


def _pieces(value: object) -> Iterator[str]:
    """Give the texts of a message's parts, and for a picture, however large, how long it is, at a fixed length."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield f"{len(child):<{_SEEN}}" if name in _MEDIA and isinstance(child, str) else "".join(_pieces(child))
    elif isinstance(value, list):
        for child in value:
            yield from _pieces(child)
    elif isinstance(value, str):
        yield value
