"""Which piece of an answer came how: the page's own module, run where it runs."""

from typing import Any

import pytest
from playwright.sync_api import Page

Pieces = list[list[object]] | None


def pieces(module: Page, **given: Any) -> Pieces:
    found: Pieces = module.evaluate(
        """async (given) => {
            const { attribute } = await import("/page/attribute.js");
            return attribute(given)?.map(({ text, kind }) => [text, kind]) ?? null;
        }""",
        given,
    )
    return found


FAMILY, FLAG = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}", "\U0001f1eb\U0001f1f7"
FIVE = list("abcde")


@pytest.mark.parametrize(
    ("tokens", "sizes", "accepted", "wanted"),
    [
        (["a", "b"], [1, 1], None, "a:plain b:plain"),
        (FIVE, [1, 3, 1], [2, 0], "a:plain b:1 c:2 d:bonus e:bonus"),
        (["a", "b", "c"], [1, 2], [3], "a:plain b:1 c:2"),
        (FIVE, [3, 2], [1, 1], "a:plain b:1 c:bonus d:1 e:bonus"),
        (["a", "", "猜"], [1, 2], [1], "a:plain 猜:bonus"),
        (["e", "\u0301", "x"], [1, 2], [1], "e\u0301:1 x:bonus"),
        (list(FAMILY), [1, 4], [3], f"{FAMILY}:bonus"),
        (list(FLAG), [1, 1], [0], f"{FLAG}:bonus"),
        (["a", "b", "<end>"], [1, 2], [1], "a:plain b:1"),
        ([], [], [], ""),
    ],
    ids=[
        "no drafter",
        "a step with drafts, one without",
        "the last step cut off",
        "two steps in one chunk",
        "a character of two tokens is the last one's",
        "an accent belongs to its letter",
        "an emoji of five code points",
        "a flag of two letters",
        "the token that ends it has no text",
        "nothing",
    ],
)
def test_says_how_each_piece_came(
    module: Page, tokens: list[str], sizes: list[int], accepted: list[int] | None, wanted: str
) -> None:
    text = "".join(token for token in tokens if not token.startswith("<"))
    found = pieces(module, tokens=tokens, sizes=sizes, text=text, count=len(tokens), accepted=accepted)
    assert found is not None
    assert " ".join(f"{piece}:{kind}" for piece, kind in found) == wanted


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"count": 6}, id="another number of tokens"),
        pytest.param({"sizes": [1, 2, 2]}, id="a chunk that ends within a step"),
        pytest.param({"sizes": [1, 3]}, id="chunks that aren't all"),
        pytest.param({"accepted": [2]}, id="a step too few"),
        pytest.param({"accepted": [2, 0, 0]}, id="a step too many"),
        pytest.param({"text": "abXde"}, id="another text"),
        pytest.param({"text": "abcdef"}, id="more text than tokens"),
    ],
)
def test_colours_nothing_where_it_does_not_add_up(module: Page, changed: dict[str, Any]) -> None:
    given = {"tokens": list("abcde"), "sizes": [1, 3, 1], "text": "abcde", "count": 5, "accepted": [2, 0]}
    assert pieces(module, **given) is not None
    assert pieces(module, **{**given, **changed}) is None
