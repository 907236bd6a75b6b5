"""Which paragraph of a message says what to do."""

import pytest

from serve.routing.instruction import instruction_of, other_end
from serve.routing.prose import read


@pytest.mark.parametrize(
    ("message", "instruction"),
    [
        ("", ""),
        ("Hello", "Hello"),
        ("Summarize this:\n\nA long text.", "Summarize this:"),
        ("A text that somebody wrote.\n\nWhat is it about?", "What is it about?"),
        ("Context: it rained.\n\nQuestion: why?", "why?"),
    ],
)
def test_instruction_is_found_beside_its_material(message: str, instruction: str) -> None:
    assert instruction_of(read(message)) == instruction


@pytest.mark.parametrize(("text", "end"), [("In German.", "In German."), ("word " * 60, "")], ids=["short", "long"])
def test_the_other_end_is_read_only_if_short(text: str, end: str) -> None:
    prose = read(f"Fix this.\n\n{text}")
    assert other_end(prose, prose.paragraphs[0]) == end
