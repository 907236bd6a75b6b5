"""What the writing system gives away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.language import BY_SCRIPT
from serve.routing.script import SHARED, dominant


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("hello", "Latn"),
        ("привет", "Cyrl"),
        ("مرحبا", "Arab"),
        ("नमस्ते", "Deva"),
        ("আকাশ", "bn"),
        ("வானம்", "ta"),
        ("สวัสดี", "th"),
        ("ສະບາຍດີ", "lo"),
        ("გამარჯობა", "ka"),
        ("မင်္ဂလာပါ", "my"),
        ("שלום", "he"),
        ("Բարեւ", "hy"),
        ("γειά", "el"),
        ("ሰላም", "am"),
        ("សួស្តី", "km"),
        ("안녕", "ko"),
        ("こんにちは", "ja"),
        ("駅前図", "ja"),
        ("为什么", "zh-Hans"),
        ("為什麼", "zh-Hant"),
        ("你好", "zh"),
        ("佢哋去咗邊度", "yue"),
        ("", "Latn"),
    ],
)
def test_script_of_a_text(text: str, tag: str) -> None:
    assert dominant(text, latin_is_sentence=False).tag == tag


@pytest.mark.parametrize(("sentence", "tag"), [(True, "Latn"), (False, "zh-Hans")], ids=["a sentence", "only terms"])
def test_latin_terms_give_way_to_a_few_ideographs_and_sentences_do_not(sentence: bool, tag: str) -> None:
    assert dominant("Docker Compose 安装 v2", latin_is_sentence=sentence).tag == tag


@given(text=st.text(st.characters(), max_size=80), sentence=st.booleans())
def test_any_text_has_a_known_script(text: str, sentence: bool) -> None:
    seen = dominant(text, latin_is_sentence=sentence)
    assert seen.tag in SHARED | set(BY_SCRIPT) | {"zh"}
    assert 0 <= seen.letters <= len(text)
