"""The prompts of a gate: a TOML file that says of each what kind it is and how it is asked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.errors import ConfigError

SHIPPED = Path(__file__).with_name("prompts.toml")

_FIELDS = {"kind": str, "text": str, "long": bool, "sampled": bool}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One user message. `kind` is a language (BCP-47), `code` or `json`.

    `long`: the answer is made to go on beyond its natural end. `sampled`: it is asked for many first tokens, too, since
    it leaves a model free how to begin. Acceptance counts on the others alone: drafters guess badly at both.
    """

    kind: str
    text: str
    long: bool = False
    sampled: bool = False

    @property
    def shows_acceptance(self) -> bool:
        """Whether the answer is one that a drafter should do well on."""
        return not self.long and not self.sampled


def load(path: Path) -> tuple[Prompt, ...]:
    """Read `[[prompt]]` tables, in the file's order.

    Raises ConfigError if the file can't be read, holds anything else, or lacks a long, a sampled or a plain prompt.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: can't be read as TOML ({error}); give a file of prompts") from error
    tables = document.get("prompt")
    if set(document) != {"prompt"} or not isinstance(tables, list):
        raise ConfigError(f"{path}: must be a list of [[prompt]] tables and nothing else")
    prompts = tuple(_prompt(path, number, table) for number, table in enumerate(tables, 1))
    if not any(prompt.long for prompt in prompts) or not any(prompt.sampled for prompt in prompts):
        raise ConfigError(f"{path}: mark at least one prompt with `long = true` and one with `sampled = true`")
    if not any(prompt.shows_acceptance for prompt in prompts):
        raise ConfigError(f"{path}: leave at least one prompt without `long` and `sampled`; acceptance counts there")
    return prompts


def _prompt(path: Path, number: int, table: object) -> Prompt:
    fields: Mapping[str, Any] = table if isinstance(table, dict) else {}
    known = all(isinstance(value, _FIELDS.get(name, type(None))) for name, value in fields.items())
    if not known or not fields.get("kind") or not fields.get("text"):
        raise ConfigError(f"{path}: prompt {number} needs `kind` and `text`, and may have `long` and `sampled`")
    return Prompt(**fields)
