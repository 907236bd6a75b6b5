"""What a conversation's last turns say, as bounded text: whoever spoke, whatever shape of content a client sends.

Never raises, and never reads more than the last messages and the ends of long ones.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from serve.routing.prose import edges

_LOOK_BACK = 400  # messages: an agent's steps since the last thing its user said
_PARTS = 32  # content parts read at either end of a message


class Conversation(NamedTuple):
    """The system prompt, the last user message, the answer before it and the question before that; empty if none."""

    system: str
    user: str
    answer: str
    earlier: str


def last_turns(messages: Any) -> Conversation:
    """Take the last turns out of a payload's messages."""
    if not isinstance(messages, list):
        return Conversation("", "", "", "")
    found: dict[str, str] = {}
    wanted, role = "user", "user"
    for message in reversed(messages[-_LOOK_BACK:]):
        if not isinstance(message, dict) or message.get("role") != role:
            continue
        text = _text(message.get("content"))
        if not text and wanted == "answer":
            continue
        found[wanted] = text
        if wanted == "earlier":
            break
        wanted, role = ("answer", "assistant") if wanted == "user" else ("earlier", "user")
    system = edges(_systems(messages[:3]), 450) if len(messages) > 1 else ""
    return Conversation(system, found.get("user", ""), found.get("answer", ""), found.get("earlier", ""))


def _systems(messages: list[Any]) -> str:
    prompts = [m for m in messages if isinstance(m, dict) and m.get("role") in ("system", "developer")]
    return "\n".join([_text(m.get("content")) for m in prompts])


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = content if len(content) <= 2 * _PARTS else content[:_PARTS] + content[-_PARTS:]
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return "\n".join(edges(text, 4_000) for text in texts if isinstance(text, str))
