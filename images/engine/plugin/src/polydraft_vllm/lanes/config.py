"""What `--additional-config` says of drafters and lanes, checked once. Imports nothing of vLLM.

    {"polydraft": {
        "drafters": {"mtp": {"method": "mtp", "model": "...", "num_speculative_tokens": 4},
                     "eagle3": {"method": "eagle3", "model": "...", "num_speculative_tokens": 3}},
        "lanes": {"body": {}, "mtp": {"drafter": "mtp"}, "eagle3": {"drafter": "eagle3", "draft_tokens": 3}},
        "default": "body"}}

A drafter is a `--speculative-config` of vLLM's. Without `lanes`, there is one for each drafter and one without any.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

BODY = "body"
"""The lane that no draft is made for; every engine with lanes has it."""
KEY = "polydraft"
OWN_KV = ("eagle", "eagle3", "draft_model")
"""Methods whose drafters write KV of their own."""
_ENGINE_WIDE = (
    "rejection_sample_method", "synthetic_acceptance_rates", "synthetic_acceptance_length",
    "enable_adaptive_verification",
)  # fmt: skip
"""Keys of a speculative config that vLLM reads once, not for each drafter."""
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_DRAFTER_KEYS = ("method", "model", "num_speculative_tokens")


@dataclass(frozen=True, slots=True)
class Lane:
    """A way to be served: which drafter drafts, and at most how many tokens a step. The body's has none."""

    name: str
    drafter: str | None
    draft_tokens: int


@dataclass(frozen=True, slots=True)
class Lanes:
    """All lanes of an engine by name, the drafters' speculative configs by name, and who is served without asking."""

    by_name: Mapping[str, Lane]
    drafters: Mapping[str, Mapping[str, Any]]
    default: Lane

    @property
    def most_draft_tokens(self) -> int:
        """The longest draft of any lane."""
        return max(lane.draft_tokens for lane in self.by_name.values())

    def cut_drafters(self) -> dict[str, dict[str, Any]]:
        """The drafters, each with the longest draft that one of its lanes takes."""
        lanes = self.by_name.values()
        longest = {name: max(lane.draft_tokens for lane in lanes if lane.drafter == name) for name in self.drafters}
        return {name: cut(self.drafters[name], tokens) for name, tokens in longest.items()}


def read(additional_config: Mapping[str, Any] | None) -> Lanes | None:
    """Read the lanes out of an engine's additional config; `None` if it has none.

    Raises ValueError, with one line that names the key and the remedy.
    """
    said = (additional_config or {}).get(KEY)
    if said is None:
        return None
    if not isinstance(said, Mapping) or not isinstance(said.get("drafters"), Mapping) or not said["drafters"]:
        raise ValueError(
            f"additional_config.{KEY}.drafters: name at least one drafter, as {{name: speculative config}}"
        )
    if unknown := said.keys() - {"drafters", "lanes", "default"}:
        raise ValueError(f"additional_config.{KEY}: unknown key {min(unknown)!r}; known are drafters, lanes, default")
    if not isinstance(said.get("lanes", {}), Mapping):
        raise ValueError(f"additional_config.{KEY}.lanes: must be {{lane: {{drafter, draft_tokens}}}}")
    for name in (*said["drafters"], *(said.get("lanes") or ())):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"additional_config.{KEY}: {name!r} can't name a drafter or lane; use a-z, 0-9, - and _")
    drafters = _drafters(said["drafters"])
    described = said.get("lanes") or {BODY: {}, **{name: {"drafter": name} for name in drafters}}
    by_name = {name: _lane(name, lane, drafters) for name, lane in {BODY: {}, **described}.items()}
    if unused := sorted(drafters.keys() - {lane.drafter for lane in by_name.values()}):
        raise ValueError(f"additional_config.{KEY}.drafters.{unused[0]}: no lane names it; add one or leave it out")
    default = said.get("default", BODY)
    if not isinstance(default, str) or default not in by_name:
        raise ValueError(f"additional_config.{KEY}.default: no lane {default!r}; there are {_listed(by_name)}")
    return Lanes(MappingProxyType(by_name), MappingProxyType(drafters), by_name[default])


def cut(drafter: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    """A drafter's speculative config for drafts of `tokens`, its synthetic rates by position included."""
    rates = drafter.get("synthetic_acceptance_rates")
    shorter = {"synthetic_acceptance_rates": rates[:tokens]} if rates else {}
    return {**drafter, "num_speculative_tokens": tokens, **shorter}


def _drafters(described: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    drafters = {name: _drafter(name, config) for name, config in described.items()}
    if len([name for name, drafter in drafters.items() if drafter["method"] in OWN_KV]) > 1:
        raise ValueError(f"additional_config.{KEY}.drafters: only one may keep KV of its own ({', '.join(OWN_KV)})")
    if differ := [key for key in _ENGINE_WIDE if len({repr(each.get(key)) for each in drafters.values()}) > 1]:
        raise ValueError(
            f"additional_config.{KEY}.drafters: {differ[0]!r} holds for the whole engine; give all the same"
        )
    return drafters


def _drafter(name: str, config: Any) -> Mapping[str, Any]:
    at = f"additional_config.{KEY}.drafters.{name}"
    if not isinstance(config, Mapping):
        raise ValueError(f"{at}: must be a speculative config, as for --speculative-config")
    if wrong := [key for key in ("method", "model") if not isinstance(config.get(key, ""), str)]:
        raise ValueError(f"{at}.{wrong[0]}: must be a text")
    if missing := [key for key in _DRAFTER_KEYS if key not in config]:
        raise ValueError(f"{at}: lacks {missing[0]!r}")
    if not _is_count(config["num_speculative_tokens"]) or config["num_speculative_tokens"] < 1:
        raise ValueError(f"{at}.num_speculative_tokens: must be a whole number from 1 on")
    return MappingProxyType(dict(config))


def _lane(name: str, said: Any, drafters: Mapping[str, Mapping[str, Any]]) -> Lane:
    at = f"additional_config.{KEY}.lanes.{name}"
    if not isinstance(said, Mapping) or said.keys() - {"drafter", "draft_tokens"}:
        raise ValueError(f"{at}: takes drafter and draft_tokens, nothing else")
    drafter = said.get("drafter")
    if drafter is None:
        return Lane(name, None, 0)
    if name == BODY:
        raise ValueError(f"{at}: the body's lane has no drafter; choose another name")
    if not isinstance(drafter, str) or drafter not in drafters:
        raise ValueError(f"{at}.drafter: no drafter {drafter!r}; there are {_listed(drafters)}")
    most = drafters[drafter]["num_speculative_tokens"]
    tokens = said.get("draft_tokens", most)
    if not _is_count(tokens) or not 0 < tokens <= most:
        raise ValueError(f"{at}.draft_tokens: must be a whole number from 1 to the drafter's {most}")
    return Lane(name, drafter, tokens)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))
