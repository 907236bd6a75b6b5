"""The prompts of a measurement: a TOML file with a list of prompts a language, or one prompt a language and task."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from serve.errors import ConfigError

ANY = "*"

DEMO = Path(__file__).with_name("demo.toml")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One user message, the language (BCP-47) that its answer should be in, and its task where tasks are told apart."""

    language: str
    text: str
    task: str = ANY


def load(path: Path) -> tuple[Prompt, ...]:
    """Read `LANGUAGE = ["prompt", ...]` or tables `[LANGUAGE]` of `TASK = "prompt"`, in the file's order.

    Raises ConfigError if the file can't be read or holds anything else.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: can't be read as TOML ({error}); give a file of prompts") from error
    found: list[Prompt] = []
    for language, texts in tables.items():
        filed = list(texts.items()) if isinstance(texts, dict) else [(ANY, text) for text in _listed(texts)]
        prompts = [Prompt(language, text, task) for task, text in filed if isinstance(text, str) and text]
        if not filed or len(prompts) < len(filed):
            raise ConfigError(f"{path}: {language} must be a list of prompts, or a table of one a task")
        found += prompts
    return tuple(found)


def _listed(texts: object) -> list[object]:
    return texts if isinstance(texts, list) else []
