"""Reads the payloads of other APIs as if they were a chat's, as far as sorting a request into its cell needs.

OpenAI's responses have `instructions` and `input` items, Anthropic's messages a `system` beside them and tool results
in the user's name. What comes out is for classification alone: engines get the payload as the client sent it. Never
raises, and reads no more than the first and last few items.
"""

from collections.abc import Mapping
from typing import Any

_ITEMS = 400  # items read: an agent's steps since the last thing its user said


def as_chat(payload: Mapping[str, Any], endpoint: str) -> Mapping[str, Any]:
    """Give a payload in the shape of a chat's; chats and text completions come back as they are."""
    if endpoint == "responses":
        return _from_responses(payload)
    if endpoint == "messages":
        return _from_messages(payload)
    return payload


def _from_responses(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    reasoning, text = _object(payload.get("reasoning")), _object(payload.get("text"))
    return {
        **payload,
        "messages": [*_system(payload.get("instructions")), *_items(payload.get("input"))],
        "response_format": text.get("format"),
        "reasoning_effort": reasoning.get("effort"),
    }


def _items(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return [_item(item) for item in _ends(given) if isinstance(item, Mapping)]


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Items without a role are a tool's result, or what the model did in its turn: a call, a thought."""
    if isinstance(item.get("role"), str):
        return {"role": item["role"], "content": item.get("content")}
    result = str(item.get("type")).endswith("_output")
    return {"role": "tool" if result else "assistant", "content": None}


def _from_messages(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    messages, thinking = payload.get("messages"), _object(payload.get("thinking"))
    config, choice = _object(payload.get("output_config")), _object(payload.get("tool_choice"))
    turns = [_message(each) for each in _ends(messages) if isinstance(each, Mapping)]
    return {
        **payload,
        "messages": [*_system(payload.get("system")), *turns],
        "response_format": config.get("format"),
        "reasoning_effort": _effort(thinking, config),
        "tool_choice": _CHOICES.get(str(choice.get("type")), "auto"),
    }


_CHOICES = {"any": "required", "tool": "required", "none": "none"}
"""Anthropic's `tool_choice.type` in OpenAI's words; `auto` is what both mean without one."""


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of nothing but tool results comes in the user's name, but is none of the user's words."""
    role, content = message.get("role"), message.get("content")
    if role == "user" and isinstance(content, list):
        kinds = {block.get("type") for block in content[:_ITEMS] if isinstance(block, Mapping)}
        if "tool_result" in kinds and "text" not in kinds:
            role = "tool"
    return {"role": role, "content": content}


def _effort(thinking: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    """Thinking is off without a word about it; `adaptive` leaves it to the model, which then thinks."""
    if thinking.get("type") == "disabled":
        return "none"
    return config.get("effort") or ("high" if thinking else None)


def _ends(items: Any) -> list[Any]:
    """The first two, where a system prompt may stand, and the last ones."""
    if not isinstance(items, list):
        return []
    return items if len(items) <= _ITEMS else items[:2] + items[-_ITEMS:]


def _system(prompt: Any) -> list[dict[str, Any]]:
    return [{"role": "system", "content": prompt}] if prompt else []


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
