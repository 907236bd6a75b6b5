"""vLLM's schedulers, planning for each request the drafts of its own lane and no others.

A request on the body's lane gets no draft slots, so its steps are those of an engine without speculation. Raises on
nothing that a request holds.
"""

from typing import Any

from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.request import Request
from vllm.v1.spec_decode.metrics import SpecDecodingStats

from polydraft_vllm.lanes import config, request


class LaneScheduler(Scheduler):  # type: ignore[misc]
    """For engines that wait for each step's tokens before they plan the next, as on the CPU."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lanes = config.read(self.vllm_config.additional_config)
        if lanes is None:
            raise ValueError(f"the lane scheduler needs additional_config.{config.KEY}")
        self.lanes = lanes
        self._chosen: dict[str, config.Lane] = {}
        # A lookup switches off vLLM's padding of short decodes to the longest draft, which a body's request would pay.
        self.dynamic_sd_lookup = [self.num_spec_tokens] * (self.scheduler_config.max_num_seqs + 1)

    def lane(self, of: Request) -> config.Lane:
        """The lane of a request, looked up once for its life."""
        chosen = self._chosen.get(of.request_id)
        if chosen is None:
            chosen = self._chosen[of.request_id] = request.choice(of.sampling_params, self.lanes)
        return chosen

    def add_request(self, new: Request) -> None:
        """Take a request in, and let its metrics say its lane."""
        super().add_request(new)
        if new.spec_decode_metrics is not None:
            new.spec_decode_metrics.lane = self.lane(new).name

    def _update_request_as_session(self, session: Request, update: Any) -> None:
        """Take in a session's next part; it keeps its lane, for which its blocks are salted."""
        earlier = session.sampling_params
        super()._update_request_as_session(session, update)
        if session.sampling_params is not None and earlier is not None:
            session.sampling_params.extra_args = earlier.extra_args
        self._chosen.pop(session.request_id, None)

    def _drafts_unused(self, of: Request, num_computed_tokens: int, num_new_tokens: int) -> bool:
        """Whether drafts made in this step would be for nothing; called by vLLM from 0.33 on."""
        if not self.lane(of).draft_tokens:
            return True
        unused: bool = super()._drafts_unused(of, num_computed_tokens, num_new_tokens)
        return unused

    def _update_after_schedule(self, scheduler_output: SchedulerOutput) -> None:
        scheduled = [self.requests[request_id] for request_id in scheduler_output.num_scheduled_tokens]
        longest = max((self.lane(of).draft_tokens for of in scheduled), default=0)
        scheduler_output.num_spec_tokens_to_schedule = longest
        super()._update_after_schedule(scheduler_output)
        for of in scheduled:
            # With asynchronous scheduling these are placeholders for the drafts that the worker is about to make.
            self._trim(of)

    def update_draft_token_ids(self, draft_token_ids: Any) -> None:
        """Keep of the drafts that came back as many as each request's lane takes."""
        super().update_draft_token_ids(draft_token_ids)
        for request_id in draft_token_ids.req_ids:
            of = self.requests.get(request_id)
            if of is not None and not of.is_finished():
                self._trim(of)

    def _trim(self, of: Request) -> None:
        wanted = self.lane(of).draft_tokens
        if len(of.spec_token_ids) > wanted:
            of.spec_token_ids = of.spec_token_ids[:wanted]  # a copy: the placeholders are one list for all requests

    def make_spec_decoding_stats(
        self,
        spec_decoding_stats: SpecDecodingStats | None,
        num_draft_tokens: int,
        num_accepted_tokens: int,
        num_invalid_spec_tokens: dict[str, int] | None,
        request_id: str,
    ) -> SpecDecodingStats | None:
        """Count a verified draft, for all and for its lane."""
        stats = super().make_spec_decoding_stats(
            spec_decoding_stats, num_draft_tokens, num_accepted_tokens, num_invalid_spec_tokens, request_id
        )
        chosen = self._chosen.get(request_id)
        if stats is not None and chosen is not None:
            drafted = num_draft_tokens - (num_invalid_spec_tokens or {}).get(request_id, 0)
            by_lane = stats.by_lane.setdefault(chosen.name, [0, 0, 0, *[0] * self.num_spec_tokens])
            by_lane[0] += 1
            by_lane[1] += drafted
            by_lane[2] += num_accepted_tokens
            for position in range(num_accepted_tokens):
                by_lane[3 + position] += 1
        return stats

    def _free_request(self, of: Request, *args: Any, **kwargs: Any) -> Any:
        self._chosen.pop(of.request_id, None)
        return super()._free_request(of, *args, **kwargs)


class LaneAsyncScheduler(LaneScheduler, AsyncScheduler):  # type: ignore[misc]
    """For engines that plan a step ahead, the default on GPUs."""
