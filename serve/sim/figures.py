"""Reads what simulated engines are made of: published figures of one kind of box, each with its source.

The files stand in `figures/`, one a profile; this module must never know a number of them.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, ValidationError, model_validator

from serve.deploy.body import LaneName, LanguageKey, Table, TaskKey, Text
from serve.errors import ConfigError

FIGURES = Path(__file__).with_name("figures")

Share = Annotated[float, Field(gt=0, lt=1)]


class Load(Table):
    """How much longer a step takes when twice as many requests share it."""

    doubling: Annotated[float, Field(ge=1, le=2)]
    source: Text


class Prefill(Table):
    """How long a token of a prompt takes to read."""

    seconds_per_token: NonNegativeFloat
    source: Text


class Answers(Table):
    """How requests differ: the length of answers, and the spread of acceptance (log-odds) and times (logarithm)."""

    median_tokens: PositiveFloat
    spread: NonNegativeFloat
    acceptance: NonNegativeFloat
    time: NonNegativeFloat
    source: Text


class TaskEffect(Table):
    """What a drafter gets accepted at a task, beside what it does in prose by the same source."""

    task: TaskKey
    accepted: Share
    prose: Share
    source: Text


class Steps(Table):
    """A lane's rate and acceptance length in the same bench, alone on the box: their quotient is its step's time."""

    lane: LaneName
    acceptance_length: Annotated[float, Field(ge=1)]
    decode_rate: PositiveFloat
    source: Text


class Accepted(Table):
    """What a drafter gets accepted in a language, in prose: by position, as a share of all drafts, or as a rate."""

    lane: LaneName
    language: LanguageKey
    per_position: tuple[Share, ...] = ()
    accepted: Share | None = None
    decode_rate: PositiveFloat | None = None
    source: Text

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if sum((bool(self.per_position), self.accepted is not None, self.decode_rate is not None)) != 1:
            raise ValueError("give one of per-position, accepted and decode-rate")
        return self


class Raw(Table):
    """What a body does without its chat template: the share of answers in circles, and what drafters get of them."""

    circles: Annotated[float, Field(ge=0, le=1)]
    acceptance: tuple[Accepted, ...] = ()
    source: Text


class BodyFigures(Table):
    """The lanes of one body."""

    steps: Annotated[tuple[Steps, ...], Field(min_length=1)]
    acceptance: tuple[Accepted, ...] = ()
    raw: Raw | None = None


class Figures(Table):
    """All that is known of one kind of box."""

    load: Load
    prefill: Prefill
    answers: Answers
    tasks: tuple[TaskEffect, ...] = ()
    bodies: dict[str, BodyFigures]


def names() -> list[str]:
    """List the profiles that there are figures for."""
    return sorted(path.stem for path in FIGURES.glob("*.toml"))


def load(profile: str, body: str) -> Figures:
    """Read the figures of a profile's box, and see that its body has some.

    Raises ConfigError, saying what there is instead, or which field of the file is wrong.
    """
    if profile not in names():
        raise ConfigError(f"too little is published of {profile} to simulate it; use one of {names()}")
    path = FIGURES / f"{profile}.toml"
    try:
        figures = Figures.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ConfigError(f"{path.name}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    if body not in figures.bodies:
        missing = f"no figures of body {body} on a {profile}, which would go to serve/sim/figures/{path.name}"
        raise ConfigError(f"there are {missing}; use --body {' or '.join(figures.bodies)}")
    return figures
