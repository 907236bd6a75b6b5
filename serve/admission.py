"""From a payload to the lanes that may answer it. Refuses what can't be served here; opens nothing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from serve.errors import WHEN_READY, LaneConflict, LaneNotReady, LaneRefuses, UnknownLane, UnknownModel
from serve.ledger.learner import Learner
from serve.proxy import vllm
from serve.routing.cell import Cell, Endpoint
from serve.routing.lane import Lane
from serve.routing.policy import Decision, Table, Wish, choose, choose_any
from serve.routing.prefix import prefix_of

_KNOWN = 4_096
"""Decisions of the table that are kept: cells, wishes and which lanes are ready, all of closed sets."""

Classify = Callable[[Mapping[str, Any], Endpoint], Cell]


@dataclass(frozen=True, slots=True)
class Asking:
    """What a request asks for beside its payload: the lane of its `x-polydraft-lane`, and, where it goes on from a
    stored response, the lanes of the engine that holds that.
    """

    lane: str | None = None
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Admission:
    """What this router serves, how it tells requests apart, and the policy that learns, if one is asked."""

    model: str
    lanes: Sequence[Lane]
    table: Table
    classify: Classify
    learner: Learner | None = None
    _chosen: dict[tuple[object, ...], Decision] = field(default_factory=dict, init=False, repr=False, compare=False)

    def decide(
        self, payload: Mapping[str, Any], endpoint: Endpoint, asked: Asking, ready: Collection[str]
    ) -> tuple[Cell, Decision]:
        """Choose a request's lane.

        Raises UnknownModel, UnknownLane, LaneConflict or LaneRefuses, each saying what there is instead.
        """
        forced = self._forced(payload.get("model"), asked.lane)
        if forced is not None:
            self._refuse_drafts(vllm.drafts_asked(payload), forced)
        parameter = vllm.undraftable(payload, endpoint)
        if parameter:
            self._refuse_drafting(parameter, forced)
        cell = self._corrected(payload, self.classify(payload, endpoint))
        return cell, self._choose(cell, Wish(forced, parameter is not None, asked.held), ready)

    def weigh(
        self,
        payload: Mapping[str, Any],
        cell: Cell,
        table: Decision,
        ready: Mapping[str, str],
        *,
        explained: bool = False,
    ) -> Decision:
        """Let the policy that learns, if there is one, go on from what the table decided; `ready` names engines too.

        A decision that is only explained tries no lane out, and leaves no trace.
        """
        if self.learner is None:
            return table
        decide = self.learner.explain if explained else self.learner.decide
        return decide(cell, table, ready, prefix_of(payload))

    def _choose(self, cell: Cell, wish: Wish, ready: Collection[str]) -> Decision:
        """Choose by the table, which never changes: what it says of a cell is looked for once."""
        key = (cell, wish.lane, wish.undrafted, wish.held, *ready)
        if (known := self._chosen.get(key)) is not None:
            return known
        if len(self._chosen) >= _KNOWN:
            self._chosen.clear()
        decision = self._chosen[key] = choose(cell, self.table, self.lanes, ready, wish)
        return decision

    def _corrected(self, payload: Mapping[str, Any], cell: Cell) -> Cell:
        """Correct a cell by the answers that its conversation had so far, if any came otherwise than expected."""
        if self.learner is None or not self.learner.turns:
            return cell
        prefix = prefix_of(payload)
        return self.learner.turns.corrected(prefix.conversation, cell) if prefix else cell

    def decide_any(self, model: object, asked: Asking, ready: Collection[str]) -> Decision:
        """Choose a lane for a request that generates nothing; raises as `decide` does, but for LaneRefuses."""
        return choose_any(self.lanes, ready, Wish(lane=self._forced(model, asked.lane), held=asked.held))

    def route(
        self, decision: Decision, ready: Collection[str], payload: Mapping[str, Any] | None = None
    ) -> tuple[Lane, ...]:
        """Give the lanes to try, the chosen one first; raises LaneNotReady if none is ready.

        A lane that the client named drafts no more tokens than the payload asks for.
        """
        by_name = {lane.name: lane for lane in self.lanes}
        others = (candidate.lane for candidate in decision.candidates if candidate.lane != decision.lane)
        names = [name for name in (decision.lane, *others) if name in ready]
        if not names:
            wanted = ", ".join(candidate.lane for candidate in decision.candidates)
            raise LaneNotReady(f"No engine of lane {wanted} is ready. {WHEN_READY}")
        drafts = vllm.drafts_asked(payload) if payload and decision.reason == "forced" else None
        if isinstance(drafts, int):
            return tuple(replace(by_name[name], draft_tokens=drafts) for name in names)
        return tuple(by_name[name] for name in names)

    def names(self) -> list[str]:
        """List the model names that clients may use: the model, and the model on each lane."""
        return [self.model, *(f"{self.model}@{lane.name}" for lane in self.lanes)]

    def _forced(self, model: object, header: str | None) -> str | None:
        """Name the lane that a model's name or the header asks for, if any does."""
        named = self._lane_of_model(model)
        if header is not None and header not in self._lane_names():
            raise UnknownLane(
                f"There is no lane {header[:64]!r}; lanes are {self._listed()}.", param="x-polydraft-lane"
            )
        if header is not None and named is not None and header != named:
            raise LaneConflict(
                f"The header asks for lane {header}, the model name for {named}; ask for one.", param="model"
            )
        return header or named

    def _lane_of_model(self, model: object) -> str | None:
        if model is None or model == self.model:
            return None
        lanes: dict[object, str] = {f"{self.model}@{lane.name}": lane.name for lane in self.lanes}
        if model not in lanes:
            known = ", ".join(self.names())
            raise UnknownModel(f"There is no model {str(model)[:128]!r} here; models are {known}.", param="model")
        return lanes[model]

    def _refuse_drafting(self, parameter: str, forced: str | None) -> None:
        """Raise LaneRefuses if no lane without a drafter may serve a parameter that only such a lane honours."""
        bodies = [lane.name for lane in self.lanes if not lane.drafts]
        if not bodies or (forced is not None and forced not in bodies):
            where = f"use lane {bodies[0]}" if bodies else "no lane here is without one: leave it out"
            raise LaneRefuses(f"`{parameter}` can't be honoured on a lane with a drafter; {where}.", param=parameter)

    def _refuse_drafts(self, drafts: object, forced: str) -> None:
        """Raise LaneRefuses if the lane that was named can't draft as many tokens as the payload asks for."""
        lane = next(lane for lane in self.lanes if lane.name == forced)
        most = lane.draft_tokens
        if drafts is None or (isinstance(drafts, int) and not isinstance(drafts, bool) and drafts == most):
            return
        if any(sum(engine in each.engines for each in self.lanes) < 2 for engine in lane.engines):
            why = f"its engine has that lane alone and always drafts {most}"
        elif not lane.drafts:
            why = "it drafts nothing"
        elif not isinstance(drafts, int) or isinstance(drafts, bool) or not 0 < drafts < most:
            why = f"give a whole number from 1 to {most}"
        else:
            return
        raise LaneRefuses(f"`vllm_xargs.draft_tokens` on lane {forced}: {why}.", param="vllm_xargs")

    def _lane_names(self) -> set[str]:
        return {lane.name for lane in self.lanes}

    def _listed(self) -> str:
        return ", ".join(lane.name for lane in self.lanes)
