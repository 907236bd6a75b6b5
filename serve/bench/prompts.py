"""The prompts of a measurement: a TOML file with lists of prompts by language, or by language and task."""

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from serve.errors import ConfigError

ANY = "*"

DEMO = Path(__file__).with_name("demo.toml")
TASKS = Path(__file__).with_name("tasks.toml")

_SHIPPED = {"demo": DEMO, "tasks": TASKS}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One user message, the language (BCP-47) that its answer should be in, and its task where tasks are told apart."""

    language: str
    text: str
    task: str = ANY


def named(name: str) -> Path:
    """Find the file of prompts that is shipped under a name (`tasks`, `demo`), or else take the name as a path."""
    return _SHIPPED.get(name) or Path(name)


def load(path: Path) -> tuple[Prompt, ...]:
    """Read `LANGUAGE = ["prompt", ...]` or tables `[LANGUAGE]` of `TASK = ["prompt", ...]`, in the file's order.

    Raises ConfigError if the file can't be read or holds anything else.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: can't be read as TOML ({error}); give a file of prompts") from error
    found: list[Prompt] = []
    for language, filed in tables.items():
        tasks = filed if isinstance(filed, dict) else {ANY: filed if isinstance(filed, list) else []}
        texts = {task: _texts(listed) for task, listed in tasks.items()}
        if not texts or not all(texts.values()):
            raise ConfigError(f"{path}: {language} must be a list of prompts, or a table with a list of them a task")
        found += [Prompt(language, text, task) for task, listed in texts.items() for text in listed]
    if not found:
        raise ConfigError(f"{path}: has no prompts")
    return tuple(found)


def chosen(prompts: Sequence[Prompt], languages: Collection[str], tasks: Collection[str]) -> tuple[Prompt, ...]:
    """Keep the prompts of these languages and tasks; of all where none is named.

    Raises ConfigError for one that no prompt is of, saying what there is.
    """
    for wanted, known in ((languages, [each.language for each in prompts]), (tasks, [each.task for each in prompts])):
        if missing := sorted(set(wanted) - set(known)):
            there = ", ".join(dict.fromkeys(known))
            raise ConfigError(f"no prompt is of {', '.join(missing)}; there are {there}")
    kept = tuple(
        each for each in prompts if (not languages or each.language in languages) and (not tasks or each.task in tasks)
    )
    if not kept:
        raise ConfigError("no prompt is of both these languages and these tasks")
    return kept


def _texts(filed: object) -> list[str]:
    """Take a prompt or a list of them; nothing if anything in it is something else."""
    listed = filed if isinstance(filed, list) else [filed]
    texts = [text for text in listed if isinstance(text, str) and text]
    return texts if len(texts) == len(listed) else []
