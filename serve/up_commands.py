"""The command line's part that runs a profile on this machine: as processes without a GPU, else in containers."""

import asyncio
import io
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from dotenv import dotenv_values
from dotenv.parser import parse_stream

from serve import settings
from serve.deploy import images
from serve.deploy import pins as pinning
from serve.deploy import profile as profiles
from serve.deploy import up as processes
from serve.deploy.containers.order import Asked, Means, Router
from serve.deploy.containers.steps import Choice
from serve.deploy.engine_args import Address
from serve.deploy.profile import FIRST_ENGINE_PORT, Profile
from serve.deploy.reading import CARDS, MEMORY, Reading, take
from serve.errors import ConfigError
from serve.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
_VLLM = ROOT / ".venv-engine/bin/vllm"
_LOOPBACK = "127.0.0.1"


def profiles_like(incomplete: str) -> list[str]:
    """List the profiles that a word on the command line may become."""
    return [name for name in profiles.names() if name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(help="A profile's name, such as gb10.", autocompletion=profiles_like)]


def up(
    profile: Name,
    host: Annotated[
        str, typer.Option(help="Router's address; loopback in containers.", show_default=False)
    ] = _LOOPBACK,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Router's port.")] = 8000,
    engine_port: Annotated[
        int, typer.Option(min=1, max=65535, help="First engine's port; cpu alone.", show_default=False)
    ] = FIRST_ENGINE_PORT,
    vllm: Annotated[Path, typer.Option(help="vLLM's command; cpu alone.", show_default=False)] = _VLLM,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; touch nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="End once it serves; nobody watches then.")] = False,
    gate: Annotated[
        bool, typer.Option(help="Prove lanes lossless before anybody is served.", show_default=False)
    ] = True,
    drafters: Annotated[bool | None, typer.Option(help="Speculate; without either, as it was left.")] = None,
    build: Annotated[bool, typer.Option("--build", help="Build the images, even if they are there.")] = False,
    registry: Annotated[str, typer.Option(help="Pull images from there: registry.example/team/.")] = "",
    hf_token: Annotated[str, typer.Option(envvar="HF_TOKEN", help="The model hub's token; better as HF_TOKEN.")] = "",
) -> None:
    """Run a profile's engines and the router on this machine. Example: polydraft up cpu"""
    wanted = profiles.load_named(profile)
    if wanted.host.accelerator == "cpu":
        contained = {"--detach": detach, "--no-gate": not gate, "--build": build, "--registry": bool(registry)}
        _refuse(contained | {"--[no-]drafters": drafters is not None}, f"{profile} runs without containers")
        place = _place(wanted, Address(host, port), engine_port, vllm)
        if dry_run:
            return processes.preview(wanted, place, typer.echo)
        raise typer.Exit(asyncio.run(processes.up(wanted, place, typer.echo)))
    bare = {"--host": host != _LOOPBACK, "--engine-port": engine_port != FIRST_ENGINE_PORT, "--vllm": vllm != _VLLM}
    _refuse(bare, f"{profile} runs in containers, and its router is published on loopback alone")
    source = f"{registry.rstrip('/')}/" if registry else ""
    asked = Asked(drafters, dry_run, detach)
    raise typer.Exit(_up(wanted, Router(port, hf_token, _variables()), Choice(source, build, gate), asked))


def down(profile: Name) -> None:
    """Stop and remove a profile's containers, the router first; models and images stay. Example: polydraft down gb10"""
    wanted = profiles.load_named(profile)
    if wanted.host.accelerator == "cpu":
        raise ConfigError(f"{profile} has no containers: press Ctrl-C where it runs, or use docker compose down")
    start = _start()
    raise typer.Exit(start.down(start.Order(wanted, images.load(ROOT), Router(8000)), _means(wanted)))


def _up(wanted: Profile, router: Router, choice: Choice, asked: Asked) -> int:
    start = _start()
    order = start.Order(
        pinning.pinned(wanted, pinning.load(ROOT / pinning.PINS)), images.load(ROOT), router, choice, asked
    )
    code: int = start.up(order, start.read(order), _means(wanted))
    return code


def _start() -> ModuleType:
    """Return what needs Docker's SDK, which a router's image doesn't have."""
    try:
        return import_module("serve.deploy.containers.start")
    except ModuleNotFoundError as error:
        if error.name != "docker":
            raise
        lock = "images/router/requirements-docker.txt"
        raise ConfigError(
            f"Docker's SDK isn't installed: make router, or pip install --require-hashes -r {lock}"
        ) from None


def _variables() -> dict[str, str]:
    """Return what `.env` beside compose.yaml says, as Compose reads it: further boxes' addresses, keys, tokens.

    Raises ConfigError for a file that Compose would refuse too.
    """
    path = ROOT / ".env"
    if not path.is_file():
        return {}
    try:
        lines = list(parse_stream(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read ({error}); write NAME=VALUE lines in UTF-8") from error
    if wrong := next((each.original.line for each in lines if each.error), None):
        raise ConfigError(f"{path}: line {wrong} isn't NAME=VALUE; correct it or take it out")
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _means(profile: Profile) -> Means:
    return Means(ROOT, ROOT / ".cache/logs", typer.echo, Progress(unit="MiB"), _memory)


def _memory() -> Reading:
    return take(MEMORY, [CARDS])


def _place(profile: Profile, router: Address, engine_port: int, vllm: Path) -> processes.Place:
    given = {key.removeprefix(settings.PREFIX).lower(): value for key, value in profile.router_environment().items()}
    own = settings.read(model=given["model"], lanes=json.loads(given["lanes"]), table=json.loads(given["table"]))
    return processes.Place(
        root=ROOT,
        vllm=vllm.absolute(),
        logs=ROOT / f".cache/logs/{profile.name}-{router.port}",
        router=router,
        engine_port=engine_port,
        tls=own.tls_cert_file is not None,
        keyed=own.keys_file is not None,
    )


def _refuse(given: Mapping[str, bool], why: str) -> None:
    """Raise ConfigError for options that were given and have no meaning here."""
    if named := [option for option, there in given.items() if there]:
        raise ConfigError(f"{', '.join(named)}: {why}; leave it out")
