"""What is left of a message when all that isn't prose is out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.prose import EDGE, read, without_quotations


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(1)\n```",
        "def f(x):\n    return x + 1",
        "SELECT a FROM t WHERE b = 1;",
        '{"a": [1, 2, {"b": null}]}',
        "#include <stdio.h>\nint main(void) {\n    return 0;\n}",
        "services:\n  web:\n    image: nginx",
        "<div><p>Hello there</p></div>",
    ],
    ids=["fence", "python", "sql", "json", "c", "yaml", "html"],
)
def test_bare_code_leaves_no_prose(text: str) -> None:
    prose = read(text)
    assert prose.code
    assert sum(map(str.isalpha, "".join(prose.paragraphs))) <= 8


@pytest.mark.parametrize(
    "text",
    [
        "For each of them, say why (and when) it matters; be brief.",
        "Return the book to me; I need it.",
        "Class starts at nine: don't be late!",
        "Τι είναι η βαρύτητα;",
        "已知函数f(x)=x+sin(x),求f(0)",
        "Import taxes rose in 2024. Why?",
    ],
)
def test_prose_with_signs_of_code_stays(text: str) -> None:
    prose = read(text)
    assert prose.paragraphs == (text,)
    assert not prose.code


def test_links_mail_and_inline_code_go() -> None:
    assert read("See https://a.b/c and `x = 1` or me@d.org now").paragraphs[0].split() == ["See", "and", "or", "now"]


def test_documents_go_and_the_question_stays() -> None:
    prose = read("<context>\nEin langer Text.\n</context>\nWhat does it say?")
    assert prose.paragraphs == ("What does it say?",)
    assert prose.document


def test_a_fence_that_the_cut_opens_is_closed() -> None:
    text = "What is wrong here?\n```\n" + "int i = 0;\n" * 500 + "```\nTell me please."
    assert read(text).paragraphs == ("What is wrong here?", "Tell me please.")


def test_quotations_stay_when_nothing_else_is_left() -> None:
    assert without_quotations('"all of it is quoted"') == '"all of it is quoted"'
    assert "quoted" not in without_quotations('What does "quoted" mean in this sentence?')


@given(st.text(st.characters(), max_size=300), st.integers(0, 50))
def test_what_is_read_is_bounded(text: str, repeats: int) -> None:
    assert sum(map(len, read(text * repeats).paragraphs)) <= 2 * EDGE + 2
