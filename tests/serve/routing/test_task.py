"""What kind of answer a request's own fields and words ask for."""

from typing import Any

import pytest

from serve.routing.prose import read
from serve.routing.task import asked_for, constrained, standing
from serve.routing.wording import wording


@pytest.mark.parametrize(
    ("fields", "forced"),
    [
        ({}, False),
        ({"response_format": {"type": "text"}}, False),
        ({"response_format": {"type": "json_object"}}, True),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, True),
        ({"response_format": {"type": []}}, False),
        ({"response_format": "json_object"}, False),
        ({"tool_choice": "auto"}, False),
        ({"tool_choice": "required"}, True),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, True),
        ({"structured_outputs": {"json": {}}}, True),
        ({"structured_outputs": None}, False),
    ],
    ids=str,
)
def test_structured_output_fields_force_json(fields: dict[str, Any], forced: bool) -> None:
    assert constrained(fields) is forced


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Write a poem about a python in the jungle.", "prose"),
        ("Write a function in Python that sorts words.", "code"),
        ("What is the dress code?", "prose"),
        ("What is JSON?", "prose"),
        ("Answer as JSON.", "json"),
        ("Correct this: he go home", "edit"),
        ("Make it shorter", "prose"),
        ("Convert this to JSON:\n\na: 1\nb:\n  - 2", "json"),
        ("Convert this JSON to Python code: {}", "code"),
        ("what does tar -xzf do", "code"),
        ("Let A = {1, 2} and b = [1, 0].", "prose"),
        ("What is the best Python course online?", "prose"),
        ("", "prose"),
    ],
)
def test_task_of_an_instruction(text: str, task: str) -> None:
    assert asked_for(wording(text), read(text), translation=False) == task


CODE = "```python\nprint(1)\n```"


@pytest.mark.parametrize(
    ("answer", "text", "task"),
    [
        (CODE, "und ohne Ausgabe", "code"),
        (CODE, "and faster?", "code"),
        (CODE, "danke dir", "prose"),
        (CODE, "thank you, that is what I needed", "prose"),
        (CODE, "ありがとう", "prose"),
        (CODE, "why does nobody teach it like this at school?", "prose"),
        (CODE + "\n\nIt prints one, as you can see from the call.", "und ohne Ausgabe", "prose"),
        ("```json\n{}\n```", "und ohne Namen", "prose"),
        ("No code here.", "und ohne Ausgabe", "prose"),
    ],
)
def test_task_of_a_follow_up(answer: str, text: str, task: str) -> None:
    """After an answer of code alone, and no other, a short one is about the code unless it is thanks."""
    assert standing(wording(""), wording(text), answer) == task


def test_translating_code_is_code() -> None:
    text = "Translate to Rust:\n```python\nprint(1)\n```"
    assert asked_for(wording("Translate to Rust:"), read(text), translation=True) == "code"
