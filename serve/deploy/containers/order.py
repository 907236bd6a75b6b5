"""What a user orders of `polydraft up` in containers, and what carrying it out needs. Data alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serve.deploy.containers.definition import Owner
from serve.deploy.containers.stack import Stack, stack, without_drafters
from serve.deploy.containers.steps import Choice
from serve.deploy.images import Builds
from serve.deploy.profile import Profile
from serve.deploy.reading import Reading

PROJECT = "polydraft"
"""Compose's name for the project, as `compose.yaml` has it."""


@dataclass(frozen=True, slots=True)
class Router:
    """Where this machine reaches the router, the model hub's token (empty for none), and what `.env` says."""

    port: int
    token: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """How far to go: `drafters` None leaves them as they are, `dry` touches nothing, `detach` doesn't watch."""

    drafters: bool | None = None
    dry: bool = False
    detach: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What to bring up: a profile at its pins' revisions, what its images are built from, and the user's choices."""

    profile: Profile
    builds: Builds
    router: Router
    choice: Choice = field(default_factory=Choice)
    asked: Asked = field(default_factory=Asked)
    project: str = PROJECT

    def served(self, *, drafters: bool) -> Profile:
        """Return the profile with or without drafters."""
        return self.profile if drafters else without_drafters(self.profile)

    def wanted(self, *, drafters: bool) -> Stack:
        """Return the containers that are to be, with or without drafters."""
        owner = Owner(self.project, self.profile.name, drafters)
        token = {"HF_TOKEN": self.router.token} if self.router.token else {}
        given = {**self.router.variables, "POLYDRAFT_PORT": str(self.router.port), **token}
        return stack(self.profile, self.builds, owner, given)


@dataclass(frozen=True, slots=True)
class Means:
    """What carrying it out needs: the repository, a folder for logs, two voices, and eyes for the memory.

    `progress` gets what is done and what there is in all, in MiB; `look` reads what is free now.
    """

    root: Path
    logs: Path
    say: Callable[[str], None]
    progress: Callable[[int, int], None]
    look: Callable[[], Reading]
