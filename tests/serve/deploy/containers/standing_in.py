"""A profile that any machine can bring up in containers: gb10, on the reading of such a box, its engine stood in for.

Run as a program it is `polydraft up` of that profile, in a process that tests can interrupt:
`python -m tests.serve.deploy.containers.standing_in NAME PORT [no-gate] [drafters] [no-drafters] [dry] [detach]`.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from serve import __version__
from serve.deploy import images
from serve.deploy.containers import start
from serve.deploy.containers.order import Asked, Means, Order, Router
from serve.deploy.containers.steps import Choice
from serve.deploy.images import Builds
from serve.deploy.profile import Profile
from serve.deploy.reading import Reading
from tests import docker_engine
from tests.serve.deploy.doctor import readings

PROJECT = "polydraft-test"
ROOT = Path(__file__).resolve().parents[4]


def profile(name: str) -> Profile:
    """Return gb10 under another name, and so with containers, images and volumes that are nobody else's."""
    return readings.load("gb10")[0].model_copy(update={"name": name})


def reading() -> Reading:
    return readings.load("gb10")[1]


def builds(tag: str) -> Builds:
    """Return builds from a base that is there, so that the router's image is built as on a box."""
    own = {"BASE_IMAGE": docker_engine.BASE, "POLYDRAFT_VERSION": __version__}
    made = images.load(ROOT)
    return Builds(*(replace(each, tag=tag, arguments=own) for each in (made.engine, made.engine_cpu, made.router)))


def order(name: str, port: int, *words: str, changed: Profile | None = None) -> Order:
    drafters = True if "drafters" in words else False if "no-drafters" in words else None
    asked = Asked(drafters, "dry" in words, "detach" in words)
    choice = Choice(gate="no-gate" not in words)
    return Order(changed or profile(name), builds(name), Router(port), choice, asked, project=PROJECT)


def means(said: list[str] | None = None) -> Means:
    def say(line: str) -> None:
        if said is None:
            print(line, flush=True)  # noqa: T201  the program that tests interrupt
        else:
            said.append(line)

    return Means(ROOT, Path(tempfile.gettempdir()) / "polydraft-test-logs", say, lambda done, total: None, reading)


if __name__ == "__main__":
    sys.exit(start.up(order(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]), reading(), means()))
