"""Reads the JSON that a client sends, and refuses what no engine could answer. Unknown fields are left as they are."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, cast

from serve.errors import InvalidPayload
from serve.proxy import quick_json
from serve.routing.cell import Endpoint

MAX_DEPTH = 100
"""Nested arrays and objects; tool schemas of real agents stay below 30, and CPython's parser gives up near 1,000."""

MAX_VALUES = 250_000
"""Commas and brackets, those in texts counted in: more than any context window holds, and parsed in half a second."""

Payload = dict[str, Any]


def parse(raw: bytes) -> Payload:
    """Read one JSON object.

    Raises InvalidPayload if the bytes aren't UTF-8, aren't JSON, aren't an object, are nested deeper than MAX_DEPTH or
    hold more than MAX_VALUES values: parsing those would hold up every stream that this process relays.
    """
    brackets = raw.count(b"[") + raw.count(b"{")
    if len(raw) > MAX_VALUES and brackets + raw.count(b",") > MAX_VALUES:
        raise InvalidPayload(f"The payload has more than {MAX_VALUES} values.")
    try:
        payload = quick_json.read(raw, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise InvalidPayload(f"The payload is nested deeper than {MAX_DEPTH} levels.") from None
    except UnicodeDecodeError:
        raise InvalidPayload("The payload isn't UTF-8.") from None
    except ValueError as error:
        raise InvalidPayload(f"The payload isn't JSON: {error}.") from None
    if not isinstance(payload, dict):
        raise InvalidPayload("The payload must be a JSON object.")
    if brackets > MAX_DEPTH and _deeper_than(payload, MAX_DEPTH):
        raise InvalidPayload(f"The payload is nested deeper than {MAX_DEPTH} levels.")
    return payload


def check(payload: Payload, endpoint: Endpoint) -> None:
    """Refuse a payload whose fields that the router itself reads are missing or of a wrong type.

    Everything else is the engine's to judge. Raises InvalidPayload, naming the field.
    """
    if endpoint in ("chat", "messages"):
        _check_messages(payload.get("messages"))
    else:
        field = "prompt" if endpoint == "completions" else "input"
        if not isinstance(payload.get(field), str | list) or not payload[field]:
            raise InvalidPayload(f"`{field}` must be a string or a list, and not empty.", param=field)
    _expect(payload, "model", str, "a string")
    _expect(payload, "stream", bool, "true or false")
    _expect(payload, "stream_options", dict, "an object")
    _expect(payload, "vllm_xargs", dict, "an object")


def endpoint_of(payload: Mapping[str, Any]) -> Endpoint:
    """Tell which endpoint a payload is meant for: `input` is responses, `prompt` completions, `messages` chat.

    A `messages` payload is Anthropic's where it has a field that OpenAI's chat doesn't know.
    """
    if "messages" in payload:
        thinks = isinstance(payload.get("thinking"), dict)
        return "messages" if thinks or not _ANTHROPIC.isdisjoint(payload) else "chat"
    if "input" in payload:
        return "responses"
    return "completions" if "prompt" in payload else "chat"


_ANTHROPIC = frozenset({"system", "stop_sequences", "output_config"})


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise InvalidPayload("`messages` must be a list of at least one message.", param="messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InvalidPayload(f"`messages[{index}]` must be an object with a `role`.", param=f"messages[{index}]")


def check_model(payload: Payload) -> None:
    """Refuse a payload whose model isn't named by a string; raises InvalidPayload."""
    _expect(payload, "model", str, "a string")


def _expect(payload: Payload, field: str, kind: type, wanted: str) -> None:
    value = payload.get(field)
    if value is not None and not isinstance(value, kind):
        raise InvalidPayload(f"`{field}` must be {wanted}.", param=field)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} isn't a number that JSON can carry")


def _finite(digits: str) -> float:
    """Refuse a number too large for a float: it would reach the engine as Infinity, which isn't JSON."""
    number = float(digits)
    return number if math.isfinite(number) else _refuse_constant(digits[:32])


def _deeper_than(value: object, levels: int) -> bool:
    """Walk level by level, since a recursive walk would itself be what a deep payload is made to break."""
    level = [value] if isinstance(value, _NESTING) else []
    for _ in range(levels):
        level = [child for node in level for child in _children(node) if isinstance(child, _NESTING)]
        if not level:
            return False
    return bool(level)


_NESTING = (dict, list)


def _children(node: object) -> Iterable[object]:
    return node.values() if isinstance(node, dict) else cast(list[object], node)
