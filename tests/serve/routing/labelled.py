"""The labelled requests and the one loaded model that the routing tests and the benchmark share."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from serve.routing.cell import Endpoint
from serve.routing.language import Identify, load

_FOLDER = Path(__file__).parents[2] / "data" / "requests"


@dataclass(frozen=True, slots=True)
class LabelledRequest:
    id: str
    endpoint: Endpoint
    language: str
    task: str
    thinking: bool
    payload: dict[str, Any]


def labelled(name: str) -> list[LabelledRequest]:
    lines = (_FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [LabelledRequest(**json.loads(line)) for line in lines]


@cache
def model() -> Identify:
    return load()
