"""The shapes of other APIs: the same conversation falls into the same cell, whichever API carries it."""

from typing import Any

import pytest

from serve.routing.cell import Cell, Endpoint, classify
from tests.serve.routing.labelled import model

SYSTEM = "Réponds toujours en français."
GERMAN = "Bitte erkläre mir in wenigen Sätzen, was ein Compiler macht."
CHINESE = "请告诉我什么是计算机程序。"
SCHEMA = {"type": "json_schema", "name": "it", "schema": {"type": "object"}}


def cell(endpoint: Endpoint, **payload: Any) -> Cell:
    return classify(payload, endpoint, model())


def parts(kind: str, text: str) -> list[dict[str, str]]:
    return [{"type": kind, "text": text}]


@pytest.mark.parametrize(
    ("endpoint", "payload"),
    [
        pytest.param("responses", {"input": CHINESE}, id="input is a text"),
        pytest.param("responses", {"input": [{"role": "user", "content": CHINESE}]}, id="input is a message"),
        pytest.param(
            "responses",
            {"input": [{"type": "message", "role": "user", "content": parts("input_text", CHINESE)}]},
            id="input has parts",
        ),
        pytest.param("messages", {"messages": [{"role": "user", "content": CHINESE}]}, id="content is a text"),
        pytest.param("messages", {"messages": [{"role": "user", "content": parts("text", CHINESE)}]}, id="blocks"),
    ],
)
def test_reads_the_users_words_in_every_shape(endpoint: Endpoint, payload: dict[str, Any]) -> None:
    chat = cell("chat", messages=[{"role": "user", "content": CHINESE}])
    read = cell(endpoint, **payload)
    assert (read.language, read.task, read.endpoint) == (chat.language, chat.task, endpoint)
    assert read.language == "zh-Hans"


@pytest.mark.parametrize(
    ("endpoint", "payload"),
    [
        ("responses", {"instructions": SYSTEM, "input": GERMAN}),
        ("responses", {"input": [{"role": "developer", "content": SYSTEM}, {"role": "user", "content": GERMAN}]}),
        ("messages", {"system": SYSTEM, "messages": [{"role": "user", "content": GERMAN}]}),
        ("messages", {"system": parts("text", SYSTEM), "messages": [{"role": "user", "content": GERMAN}]}),
    ],
    ids=["instructions", "developer item", "system", "system blocks"],
)
def test_standing_orders_count_wherever_they_stand(endpoint: Endpoint, payload: dict[str, Any]) -> None:
    assert cell(endpoint, **payload).language == "fr"


def test_what_tools_gave_back_is_not_the_users_word() -> None:
    """English pages that an agent reads don't make its user English."""
    result = "The weather today is sunny, with a light wind from the west in the afternoon."
    called = {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"}
    items = [{"role": "user", "content": GERMAN}, called, {"type": "function_call_output", "output": result}]
    assert cell("responses", input=items).language == "de"
    turns = [
        {"role": "user", "content": GERMAN},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": result}]},
    ]
    assert cell("messages", messages=turns).language == "de"


def test_a_long_agents_system_item_is_still_read() -> None:
    steps = [{"type": "function_call_output", "output": "ok"}] * 300
    items = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "?"}, *steps, *steps]
    assert cell("responses", input=[*items, {"role": "user", "content": GERMAN}]).language == "fr"


@pytest.mark.parametrize(
    ("endpoint", "payload"),
    [
        ("responses", {"input": GERMAN, "text": {"format": SCHEMA}}),
        ("responses", {"input": GERMAN, "tools": [{"type": "function", "name": "look"}]}),
        ("responses", {"input": GERMAN, "tool_choice": "required"}),
        ("messages", {"output_config": {"format": SCHEMA}}),
        ("messages", {"tools": [{"name": "look", "input_schema": {}}]}),
        ("messages", {"tools": [{"name": "look", "input_schema": {}}], "tool_choice": {"type": "any"}}),
    ],
    ids=["schema", "tools", "must call", "messages schema", "messages tools", "messages must call"],
)
def test_what_forces_json_is_seen(endpoint: Endpoint, payload: dict[str, Any]) -> None:
    asked = {"messages": [{"role": "user", "content": GERMAN}]} if endpoint == "messages" else {}
    assert cell(endpoint, **asked, **payload).task == "json"


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_tools_that_may_not_be_called_force_nothing(choice: str) -> None:
    turns = [{"role": "user", "content": GERMAN}]
    tools = [{"name": "look", "input_schema": {}}]
    kind = cell("messages", messages=turns, tools=tools, tool_choice={"type": choice}).task
    assert kind == ("prose" if choice == "none" else "json")


@pytest.mark.parametrize(
    ("endpoint", "payload", "thinks"),
    [
        ("responses", {"reasoning": {"effort": "high"}}, True),
        ("responses", {"reasoning": {"effort": "none"}}, False),
        ("responses", {"reasoning": {"summary": "auto"}}, False),
        ("messages", {"thinking": {"type": "enabled", "budget_tokens": 2048}}, True),
        ("messages", {"thinking": {"type": "adaptive"}}, True),
        ("messages", {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, False),
        ("messages", {"output_config": {"effort": "low"}}, True),
        ("messages", {}, False),
    ],
)
def test_knows_whether_the_model_thinks_first(endpoint: Endpoint, payload: dict[str, Any], thinks: bool) -> None:
    assert cell(endpoint, input=GERMAN, messages=[{"role": "user", "content": GERMAN}], **payload).thinking is thinks
