"""Pins: which image, package and model revision everything is built from, each with its reason.

Reads `images/pins.toml`, the only place where they stand, says which are still unresolved, and writes into that file
what was found out about those. It must never ask anybody over the network (`registry.py` does), and never move a pin
that is resolved: that is somebody's decision, made in the file.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from serve.deploy.body import Body
from serve.deploy.profile import Profile
from serve.errors import ConfigError

PINS = Path("images/pins.toml")
UNRESOLVED = "unresolved"

Kind = Literal["bases", "images", "packages", "debian", "models"]

# The field that pins a thing of each kind, what it has to look like, and the fields that stand beside it.
_VALUE: Mapping[Kind, str] = {
    "bases": "digest",
    "images": "digest",
    "packages": "version",
    "debian": "version",
    "models": "revision",
}
_SHAPE: Mapping[Kind, str] = {
    "bases": r"sha256:[0-9a-f]{64}",
    "images": r"sha256:[0-9a-f]{64}",
    "packages": r"[0-9][0-9A-Za-z.+!-]*",
    "debian": r"[0-9][0-9A-Za-z.+~:-]*",
    "models": r"[0-9a-f]{40}",
}
_BESIDE: Mapping[Kind, set[str]] = {
    "bases": {"image", "tag"},
    "images": {"image", "tag"},
    "packages": {"lock"},
    "debian": set(),
    "models": set(),
}
CONTAINER = ("bases", "images")
"""Kinds that a registry of images knows by name and tag: what we build upon, and what runs as it is."""
_RESOLVABLE = (*CONTAINER, "models")
_REMEDY = "run `polydraft pins --resolve`, then `polydraft render`"


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned thing: `name` is its table's, `subject` what a registry knows it by, `value` where it is held."""

    kind: Kind
    name: str
    subject: str
    value: str
    why: str
    lock: str = ""
    override: bool = False

    @property
    def resolved(self) -> bool:
        """Whether anybody has read its digest or revision yet."""
        return self.value != UNRESOLVED

    @property
    def reference(self) -> str:
        """An image by name, tag and digest; unresolved, a text that no builder takes and that says why."""
        return f"{self.subject}@{self.value}" if self.resolved else f"{self.subject}@unresolved: {_REMEDY}"


@dataclass(frozen=True, slots=True)
class Pins:
    """All pins, in the file's order."""

    all: tuple[Pin, ...]

    def of(self, kind: Kind) -> dict[str, Pin]:
        """Return the pins of one kind by name."""
        return {pin.name: pin for pin in self.all if pin.kind == kind}

    def get(self, kind: Kind, name: str) -> Pin:
        """Return one pin; raises ConfigError if it isn't there."""
        try:
            return self.of(kind)[name]
        except KeyError:
            raise ConfigError(f"{PINS}: {kind}.{name!r} is missing; add it with its {_VALUE[kind]} and why") from None

    def unresolved(self) -> list[Pin]:
        """Return the pins that nobody has read yet."""
        return [pin for pin in self.all if not pin.resolved]


def load(path: Path) -> Pins:
    """Read and check the pins; raises ConfigError with one line that names the field and the fix."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: can't be read ({error}); restore it") from error
    found = []
    for key in document.keys() - _VALUE.keys():
        raise ConfigError(f"{path}: {key!r} isn't a kind of pin; use one of {sorted(_VALUE)}")
    for kind in _VALUE:
        tables = document.get(kind, {})
        if not isinstance(tables, dict):
            raise ConfigError(f"{path}: {kind}: isn't a table of pins; write [{kind}.NAME]")
        found += [_pin(kind, name, given) for name, given in tables.items()]
    return Pins(tuple(found))


def check(pins: Pins) -> None:
    """Raise ConfigError if any pin is unresolved; the line names them."""
    missing = [pin.subject for pin in pins.unresolved()]
    if missing:
        raise ConfigError(f"{PINS}: {len(missing)} unresolved ({', '.join(missing)}); {_REMEDY}")


def table(pins: Pins) -> str:
    """Return the pins as a text table: kind, subject, value, the reason's first sentence."""
    rows = [(pin.kind, pin.subject, pin.value, _first_sentence(pin.why)) for pin in pins.all]
    return _aligned([("kind", "what", "pinned at", "why"), *rows])


def news(pins: Pins, found: Mapping[tuple[Kind, str], str]) -> str:
    """Return a table of the pins that would be others now; a build such as `+cpu` of the same release is no other."""
    rows = [
        (pin.kind, pin.subject, pin.value, now)
        for pin in pins.all
        if (now := found.get((pin.kind, pin.name), pin.value)) != pin.value.partition("+")[0] and now != pin.value
    ]
    return _aligned([("kind", "what", "pinned at", "now"), *rows]) if rows else "nothing is newer than its pin"


def _aligned(rows: Sequence[tuple[str, str, str, str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    return "\n".join(lines)


def write(path: Path, found: Mapping[tuple[Kind, str], str]) -> None:
    """Write values found for unresolved pins into the file, and leave all the rest of its text as it is."""
    text = path.read_text(encoding="utf-8")
    for (kind, name), value in found.items():
        key = f'"{name}"' if kind == "models" else name
        head = rf"(^\[{kind}\.{re.escape(key)}\]\n(?:[^\[\n].*\n)*?{_VALUE[kind]} = )\"{UNRESOLVED}\""
        text, count = re.subn(head, lambda match, value=value: f'{match[1]}"{value}"', text, flags=re.MULTILINE)  # type: ignore[misc]
        if count != 1:
            raise ConfigError(f"{path}: {kind}.{key} doesn't say {_VALUE[kind]} = {UNRESOLVED!r}; write {value} there")
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def pinned(profile: Profile, pins: Pins) -> Profile:
    """Return the profile with every model of a hub at the revision that the pins say.

    Raises ConfigError for a model that has no pin, and for a profile that states a commit of its own.
    """
    bodies = {name: _pinned_body(profile.name, body, pins) for name, body in profile.bodies.items()}
    return profile.model_copy(update={"bodies": bodies})


def _pinned_body(profile: str, body: Body, pins: Pins) -> Body:
    lanes = []
    for lane in body.lanes:
        config = lane.speculative_config
        if config is not None:
            revision = _revision(profile, config.model, config.revision, pins)
            config = config.model_copy(update={"revision": revision})
        lanes.append(lane.model_copy(update={"speculative_config": config}))
    revision = _revision(profile, body.model, body.revision, pins)
    return body.model_copy(update={"revision": revision, "lanes": tuple(lanes)})


def _revision(profile: str, model: str, stated: str, pins: Pins) -> str:
    if stated == "local":
        return stated
    if stated != UNRESOLVED:
        raise ConfigError(f"profile {profile}.toml: revision: {stated} of {model} belongs into {PINS}; move it there")
    return pins.get("models", model).value


def _pin(kind: Kind, name: str, given: Any) -> Pin:
    where = f"{PINS}: {kind}.{name!r}"
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: isn't a table; give it its {_VALUE[kind]} and why")
    known = {_VALUE[kind], "why", *_BESIDE[kind]}
    for field in sorted(known - given.keys()):
        raise ConfigError(f"{where}: {field!r} is missing; add it")
    optional = {"override"} if kind == "packages" else set()
    for field in sorted(given.keys() - known - optional):
        raise ConfigError(f"{where}: {field!r} isn't a field here; remove it or correct its spelling")
    texts = {field: str(given[field]).strip() for field in known}
    value = texts[_VALUE[kind]]
    if not re.fullmatch(_SHAPE[kind], value) and not (kind in _RESOLVABLE and value == UNRESOLVED):
        raise ConfigError(f"{where}: {_VALUE[kind]} can't be {value!r}; correct it")
    if not texts["why"]:
        raise ConfigError(f"{where}: why is empty; say why it is pinned there")
    subject = f"{texts['image']}:{texts['tag']}" if kind in CONTAINER else name
    return Pin(kind, name, subject, value, texts["why"], texts.get("lock", ""), bool(given.get("override", False)))


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s+(?=[A-Z])", " ".join(text.split()), maxsplit=1)[0]
