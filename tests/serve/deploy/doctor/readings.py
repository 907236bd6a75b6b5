"""Loads readings of machines from tests/data/machines, whose README says what they are."""

import tomllib
from pathlib import Path
from typing import Any

from serve.deploy import profile as profiles
from serve.deploy.doctor import cards, host, links
from serve.deploy.profile import Profile
from serve.deploy.reading import CARDS, Printed, Reading

MACHINES = Path(__file__).parents[3] / "data" / "machines"
NAMES = sorted(path.stem for path in MACHINES.glob("*.toml"))
COMMANDS = {
    "cards": CARDS,
    "health": cards.HEALTH,
    "tenants": cards.TENANTS,
    "processes": host.PROCESSES,
    "docker": host.DOCKER,
    "compose": host.COMPOSE,
    "volumes": host.VOLUMES,
    "toolkit": host.TOOLKIT,
    "bridges": links.BRIDGES,
} | {links.key(trial): links.key(trial) for trial in links.TRIALS}
OTHER = {"source", "profile", "peers", "files", "ports", "disks", "answers"}


def document(name: str) -> dict[str, Any]:
    return tomllib.loads((MACHINES / f"{name}.toml").read_text(encoding="utf-8"))


def load(name: str) -> tuple[Profile, Reading]:
    """Return the profile that a machine is held against, and what was read there."""
    stated = document(name)
    assert stated.keys() <= OTHER | COMMANDS.keys()
    profile = profiles.load_named(stated["profile"])
    if stated.get("peers"):
        env = {name: variable for name, variable in profile.env.items() if name != "NCCL_P2P_DISABLE"}
        profile = profile.model_copy(update={"env": env})
    urls = host.hub_models(profile)
    reading = Reading(
        files={path: text.lstrip("\n") for path, text in stated.get("files", {}).items()},
        commands={
            command: Printed(stated[short].get("code", 0), stated[short]["text"].lstrip("\n"))
            for short, command in COMMANDS.items()
            if short in stated
        },
        ports={int(port): why for port, why in stated.get("ports", {}).items()},
        disks=stated.get("disks", {}),
        answers={urls[model]: status for model, status in stated.get("answers", {}).items()},
    )
    return profile, reading
