"""README and docs/ name everything that a user can set, call or scrape, and nothing that isn't there."""

import re
from pathlib import Path
from typing import get_args

import click
import pytest
import typer
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from serve import __main__ as command_line
from serve import api
from serve.deploy import profile as profiles
from serve.errors import PolydraftError, RequestError
from serve.metrics import Metrics, breaker_open, engine_up
from serve.page import files as page_files
from serve.page import routes as page_routes
from serve.proxy.relay import HEADERS
from serve.routing.outcome import End
from serve.routing.policy import Reason
from serve.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

SETTINGS = [PREFIX + name.upper() for name in Settings.model_fields]
PATHS = [
    f"{' '.join(sorted(route.methods or ()))} {route.path}".replace(":path", "")
    for route in (*api.router.routes, *page_routes.router.routes)
    if isinstance(route, APIRoute)
]
COMMANDS: dict[str, click.Command] = typer.main.get_command(command_line.cli).commands  # type: ignore[attr-defined]
NESTED = [deeper for command in COMMANDS.values() for deeper in getattr(command, "commands", {}).values()]
OPTIONS = [
    option
    for command in (*COMMANDS.values(), *NESTED)
    for parameter in command.params
    for option in parameter.opts
    if "--" in option
]


def metric_names() -> list[str]:
    registry = CollectorRegistry()
    Metrics(registry)
    registry.register(engine_up((), lambda engine: True))
    registry.register(breaker_open((), lambda engine: False))
    families = registry.collect()
    return [family.name + ("_total" if family.type == "counter" else "") for family in families]


def statuses() -> list[str]:
    def below(kind: type[PolydraftError]) -> list[type[PolydraftError]]:
        return [kind, *(deeper for child in kind.__subclasses__() for deeper in below(child))]

    return sorted({str(kind.status) for kind in below(RequestError) if issubclass(kind, RequestError)})


@pytest.mark.parametrize(
    "name",
    [
        *SETTINGS,
        *PATHS,
        *HEADERS,
        *metric_names(),
        *get_args(Reason),
        *get_args(End),
        *OPTIONS,
        *(f"polydraft {command}" for command in COMMANDS),
        *profiles.names(),
    ],
)
def test_the_readme_names(name: str) -> None:
    assert f"`{name}" in README


@pytest.mark.parametrize("status", statuses())
def test_the_readme_names_status(status: str) -> None:
    assert re.search(rf"\b{status}\b", README)


def test_the_readme_names_no_setting_or_metric_that_is_not_there() -> None:
    named = set(re.findall(r"`(POLYDRAFT_[A-Z_]+[A-Z])`|`(polydraft_[a-z_]+)`", README))
    known = {*SETTINGS, *metric_names(), "polydraft_vllm"}
    assert {first or second for first, second in named} <= known


@pytest.mark.parametrize(
    ("name", "default"),
    [
        (PREFIX + name.upper(), field.default)
        for name, field in Settings.model_fields.items()
        if not field.is_required() and name != "table"
    ],
)
def test_the_readme_gives_the_default_of(name: str, default: object) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    assert ("| |" if default in (None, (), {}) else f"| `{default}` |") in row


def test_make_help_lists_every_target_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= targets


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("images/**/README.md"))], ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_the_pages_size_is_what_its_documentation_says() -> None:
    size = sum(len(file.content) for file in page_files.load().values())
    (said,) = re.findall(r"\((\d+) KB, no build", README)
    assert abs(int(said) - size / 1000) < 2, f"docs/page.md says {said} KB; the page has {size / 1000:.0f}"
