"""What is left of a message when all that isn't prose is out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.prose import EDGE, opening, read, without_messages, without_quotations


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
        "for f in *.png; do mv $f old/; done",
        "find . -type f -size +10M",
        "cat names.txt | sort | uniq",
        "Get-Service -Name spooler | Restart-Service",
        "lambda x: x if x > 0 else 1",
    ],
    ids=["fence", "python", "sql", "json", "c", "yaml", "html", "loop", "command", "pipe", "powershell", "lambda"],
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


def test_of_a_question_with_code_in_it_the_words_stay() -> None:
    prose = read("warum gibt [3, 20].sort() in javascript [20, 3]?")
    assert prose.paragraphs[0].split()[:2] == ["warum", "gibt"]
    assert "sort" not in prose.paragraphs[0]


def test_what_is_said_of_a_command_stays_and_commands_go() -> None:
    said = read("docker says there is no space left on /dev/sda1 and i dont know what to do")
    assert said.code
    assert said.paragraphs[0].endswith("and i dont know what to do")
    assert read("git checkout -b fix/login origin/main && git push --force-with-lease").paragraphs == ()


def test_a_row_of_examples_is_no_yaml() -> None:
    assert not read("Text: good\nMood: happy\n\nText: bad\nMood: sad\n\nText: fine\nMood:").code


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Was bedeutet 'no such file or directory' unter Linux?", "Was bedeutet   unter Linux?"),
        ("Qué significa 'can't open this file' en mi caso", "Qué significa   en mi caso"),
        ("Fehler: Could not open the file. Was nun?", "Fehler: Was nun?"),
        ("'all of it is a message'", "'all of it is a message'"),
        ("It's the boys' idea, isn't it?", "It's the boys' idea, isn't it?"),
        ("Error: Could not open the file.", "Error: Could not open the file."),
    ],
    ids=["quoted", "apostrophe", "label", "nothing else", "no quotation", "nothing said of it"],
)
def test_a_programs_messages_go_when_something_is_said_of_them(text: str, left: str) -> None:
    assert without_messages(text) == left


def test_an_opening_is_the_words_before_code() -> None:
    assert opening("co robi sed -i x").split() == ["co", "robi", "sed"]
    assert opening("xx yy zz") == ""
    assert opening("SELECT name FROM t WHERE id = ?") == ""


def test_quotations_stay_when_nothing_else_is_left() -> None:
    assert without_quotations('"all of it is quoted"') == '"all of it is quoted"'
    assert "quoted" not in without_quotations('What does "quoted" mean in this sentence?')


@given(st.text(st.characters(), max_size=300), st.integers(0, 50))
def test_what_is_read_is_bounded(text: str, repeats: int) -> None:
    assert sum(map(len, read(text * repeats).paragraphs)) <= 2 * EDGE + 2
