"""The prompts of a measurement: a TOML file with a list of prompts a language."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from serve.errors import ConfigError

DEMO = Path(__file__).with_name("demo.toml")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One user message, and the language (BCP-47) that its answer should be in."""

    language: str
    text: str


def load(path: Path) -> tuple[Prompt, ...]:
    """Read `LANGUAGE = ["prompt", ...]` tables, in the file's order.

    Raises ConfigError if the file can't be read or holds anything else.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: can't be read as TOML ({error}); give a file of prompts") from error
    for language, texts in tables.items():
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
            raise ConfigError(f"{path}: {language} must be a list of prompts")
    return tuple(Prompt(language, text) for language, texts in tables.items() for text in texts)
