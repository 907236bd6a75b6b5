"""The Docker engine, asked and told through its SDK: the one module that touches containers. Decides nothing.

Whatever Docker refuses becomes `DockerFailed`, with Docker's own words. Images are built by Docker's command, and
commands run in containers, by Docker's own command: the SDK has no BuildKit, and leaves such a command's socket open.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import requests

from serve.deploy.containers import definition as labels
from serve.deploy.containers.definition import Definition, Owner
from serve.deploy.containers.stack import Image, Stack
from serve.deploy.containers.steps import Seen, SeenImage, Sight
from serve.errors import PolydraftError

PROOF = "io.polydraft.gate"
"""The label of the gate's container: what it tested."""
_PATIENCE = 600
"""Seconds that Docker's API may take for one answer: stopping an engine takes its grace."""

Say = Callable[[str], None]


class DockerFailed(PolydraftError):
    """The Docker engine refused something, or went away; the text is its own, in one line."""


@contextmanager
def mapped() -> Iterator[None]:
    """Turn what the SDK and its HTTP client raise into DockerFailed."""
    try:
        yield
    except (docker.errors.DockerException, requests.RequestException) as error:
        said = getattr(error, "explanation", None) or str(error)
        raise DockerFailed(f"Docker: {' '.join(str(said).split())}") from error


class Daemon:
    """One Docker engine; every method raises DockerFailed if it can't be done."""

    def __init__(self) -> None:
        with mapped():
            self._api = docker.from_env(timeout=_PATIENCE).api
            self._api.ping()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def sight(self, wanted: Stack) -> Sight:
        """Return what there is of a profile."""
        owner = wanted.owner
        with mapped():
            mine = {"label": [f"{labels.PROFILE}={owner.profile}", f"com.docker.compose.project={owner.project}"]}
            apart = {"label": [f"{labels.PROFILE}={owner.profile}"], "name": [f"^/{owner.project}-"]}
            listed = [*self._api.containers(all=True, filters=mine), *self._api.containers(all=True, filters=apart)]
            names = dict.fromkeys([each["Names"][0].lstrip("/") for each in listed])
            names |= dict.fromkeys(each.name for each in wanted.all)  # Compose's own have no label of ours
            volumes = self._api.volumes()["Volumes"] or []
            network = bool(self._api.networks(names=[owner.network]))
        found = {name: seen for name in names if (seen := self.seen(name)) is not None}
        images = {image.name: there for image in wanted.images if (there := self._image(image.name)) is not None}
        return Sight(images, found, frozenset(each["Name"] for each in volumes), network)

    def seen(self, name: str) -> Seen | None:
        """Return a container as it is now; None if there is none of that name."""
        with mapped():
            try:
                found = self._api.inspect_container(name)
            except docker.errors.NotFound:
                return None
        state, marks = found["State"], found["Config"]["Labels"] or {}
        return Seen(
            fingerprint=marks.get(labels.FINGERPRINT, ""),
            image=found["Image"],
            running=state["Running"] or state["Restarting"],
            # Docker calls one that it is about to start again unhealthy, though it died.
            health="starting" if state["Restarting"] else state.get("Health", {}).get("Status", ""),
            exit_code=state["ExitCode"],
            drafters=marks.get(labels.DRAFTERS) != "off",
            proof=marks.get(PROOF, ""),
        )

    def build(self, image: Image, root: Path, log: Path) -> None:
        """Build an image from the repository; its progress is shown on a terminal, and goes to `log` elsewhere."""
        arguments = [word for name, value in image.arguments.items() for word in ("--build-arg", f"{name}={value}")]
        command = ["docker", "build", "-t", image.name, "-f", str(root / image.dockerfile), *arguments, str(root)]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as written:
            output = None if sys.stderr.isatty() else written
            try:
                done = subprocess.run(command, stdout=output, stderr=output, check=False)  # noqa: S603  ours, no shell
            except OSError as error:
                raise DockerFailed(f"docker build: {error.strerror}") from error
        if done.returncode:
            said = log.read_text(encoding="utf-8").strip().splitlines()[-1:] or ["see above"]
            raise DockerFailed(f"{image.name} couldn't be built: {said[0]}; its log is in {log}")

    def pull(self, image: Image, source: str, progress: Callable[[int, int], None]) -> None:
        """Pull an image by its name in a registry, give it its own name here, and see that it is what the pins say."""
        layers: dict[str, tuple[int, int]] = {}
        with mapped():
            for each in self._api.pull(source, stream=True, decode=True):
                if "error" in each:
                    raise DockerFailed(f"{source} couldn't be pulled: {each['error']}")
                if (detail := each.get("progressDetail")) and "total" in detail:
                    layers[each["id"]] = (detail["current"], detail["total"])
                    progress(*(sum(column) // 2**20 for column in zip(*layers.values(), strict=True)))
            repository, _, tag = image.name.rpartition(":")
            self._api.tag(source, repository, tag)
        seen = self._image(image.name)
        other = {name: text for name, text in image.labels.items() if seen is None or seen.labels.get(name) != text}
        if other:
            raise DockerFailed(f"{source} isn't what the pins say ({', '.join(other)}); pull or build the right one")

    def network(self, owner: Owner) -> None:
        """Make the network."""
        with mapped():
            self._api.create_network(owner.network, driver="bridge", labels=labels.network_labels(owner))

    def volume(self, owner: Owner, name: str) -> None:
        """Make a volume."""
        with mapped():
            self._api.create_volume(owner.volume(name), labels=labels.volume_labels(owner, name))

    def create(self, definition: Definition, **marks: str) -> None:
        """Create a container, with more labels if there are any, and start it."""
        document = {**definition.document, "Labels": {**definition.document["Labels"], **marks}}
        with mapped():
            self._api.create_container_from_config(document, definition.name)  # type: ignore[no-untyped-call]
            self._api.start(definition.name)

    def start(self, name: str) -> None:
        """Start a container that has stopped."""
        with mapped():
            self._api.start(name)

    def stop(self, name: str, grace: int) -> None:
        """Tell a container to end, and end it by force if it hasn't after so many seconds."""
        with mapped():
            self._api.stop(name, timeout=grace)

    def remove(self, name: str, grace: int) -> None:
        """Stop a container and remove it; one that is gone already is left so."""
        with mapped(), suppress(docker.errors.NotFound):
            self._api.stop(name, timeout=grace)
            self._api.remove_container(name, force=True)

    def remove_network(self, owner: Owner) -> None:
        """Remove the network, unless somebody else is on it."""
        with suppress(DockerFailed), mapped():
            self._api.remove_network(owner.network)

    def tail(self, name: str, lines: int) -> list[str]:
        """Return the last lines that a container printed."""
        with mapped():
            text: bytes = self._api.logs(name, tail=lines)
        return text.decode("utf-8", errors="replace").splitlines()

    def run(self, name: str, command: list[str], say: Say) -> int:
        """Run a command in a container, passing on what it prints line by line, and return its exit code."""
        whole = ["docker", "exec", name, *command]
        try:
            with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:  # noqa: S603
                for line in running.stdout or ():
                    say(line.rstrip("\n"))
        except OSError as error:
            raise DockerFailed(f"docker exec: {error.strerror}") from error
        return running.returncode

    def events(self, profile: str, since: int) -> list[dict[str, Any]]:
        """Return what happened to a profile's containers since a second of the clock's: who died, and how.

        What happened in the second that it is now comes with the next one: Docker counts whole ones.
        """
        filters = {"type": ["container"], "event": ["die", "kill", "oom"], "label": [f"{labels.PROFILE}={profile}"]}
        with mapped():
            return list(self._api.events(since=since, until=int(time.time()), filters=filters, decode=True))

    def _image(self, name: str) -> SeenImage | None:
        with mapped():
            try:
                found = self._api.inspect_image(name)  # type: ignore[no-untyped-call]
            except docker.errors.ImageNotFound:
                return None
        return SeenImage(found["Id"], found["Config"].get("Labels") or {})
