"""Which part of a text in two scripts asks."""

import pytest

from serve.routing.asking import asking


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("translate this pls 明日の会議は午後3時です。", "translate this pls"),
        ("what does спасибо большое за помощь mean", "what does"),
        ("这封日文邮件帮我翻一下：お世話になっております。", "这封日文邮件帮我翻一下"),
        ("The Great Gatsby 这本书讲了什么", "这本书讲了什么"),
        ("pasta with garlic and oil рецепт", "рецепт"),
        ("pip install 报错 Could not find a version 怎么办", "报错 怎么办"),
    ],
)
def test_foreign_material_is_cut_from_what_asks(text: str, part: str) -> None:
    assert asking(text).strip().startswith(part)


@pytest.mark.parametrize(
    "text",
    [
        "How are you?",
        "summarize this for me: новости дня",
        "JSON из таблицы",
        "Où es-tu ?",
        "我昨天看了 What We Do in the Shadows 觉得很好笑",
        "今天：明天",
    ],
)
def test_a_text_without_words_that_ask_beside_others_stays_whole(text: str) -> None:
    assert asking(text) == text
