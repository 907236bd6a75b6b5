"""The file of prompts: the shipped one covers every kind, and a faulty one says what to mend."""

from pathlib import Path

import pytest

from serve.bench.prompts import DEMO
from serve.errors import ConfigError
from serve.gate.prompts import SHIPPED, Prompt, load


def test_the_shipped_prompts_cover_every_kind_short_and_long() -> None:
    prompts = load(SHIPPED)
    kinds = {"en", "zh-Hans", "ru", "code", "json"}
    assert {prompt.kind for prompt in prompts if prompt.long} == kinds
    assert {prompt.kind for prompt in prompts if prompt.shows_acceptance} == kinds
    assert len({prompt.kind for prompt in prompts if prompt.sampled}) >= 3


def test_the_shipped_prompts_hold_what_the_demos_drafters_know() -> None:
    known = DEMO.read_text(encoding="utf-8")
    for kind in ("en", "zh-Hans", "ru"):
        assert any(
            f'"{prompt.text}"' in known for prompt in load(SHIPPED) if prompt.kind == kind and prompt.shows_acceptance
        )


def test_reads_every_field(tmp_path: Path) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text(
        'prompt = [{ kind = "ru", text = "Да?", long = true, sampled = true }, { kind = "en", text = "Hi" }]'
    )
    assert load(path) == (Prompt("ru", "Да?", long=True, sampled=True), Prompt("en", "Hi"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[[prompt", "can't be read as TOML", id="no TOML"),
        pytest.param('en = ["hi"]', r"list of \[\[prompt\]\] tables", id="a benchmark's file"),
        pytest.param('prompt = ["hi"]', "prompt 1 needs", id="no table"),
        pytest.param('[[prompt]]\nkind = "en"', "prompt 1 needs", id="no text"),
        pytest.param('[[prompt]]\nkind = "en"\ntext = "hi"\nlong = 1', "prompt 1 needs", id="a wrong type"),
        pytest.param('[[prompt]]\nkind = "en"\ntext = "hi"\nlang = "en"', "prompt 1 needs", id="an unknown field"),
        pytest.param(
            '[[prompt]]\nkind = "en"\ntext = "hi"\nlong = true', "one with `sampled = true`", id="none sampled"
        ),
        pytest.param(
            '[[prompt]]\nkind = "en"\ntext = "hi"\nsampled = true', "one prompt with `long = true`", id="none long"
        ),
        pytest.param(
            '[[prompt]]\nkind = "en"\ntext = "hi"\nlong = true\nsampled = true', "without `long`", id="none plain"
        ),
    ],
)
def test_a_faulty_file_says_what_to_mend(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")
