"""Several drafters in one engine: each proposes for the requests of its lanes, and rests when there are none.

A drafter that keeps KV of its own also reads every prompt of its lanes. In a mixed batch it reads its neighbours' too,
whose blocks nobody else will take for its own: the blocks of its lanes are salted (`admission.salt`). The others draft
beside it, at the same time, on a CUDA stream of their own (`beside`).
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn
from vllm.compilation import backends
from vllm.config import SpeculativeConfig, VllmConfig
from vllm.v1.worker.gpu.input_batch import InputBatch
from vllm.v1.worker.gpu.spec_decode.gemma4 import speculator as gemma4
from vllm.v1.worker.gpu.spec_decode.speculator import DraftModelSpeculator

from polydraft_vllm.lanes import beside, config, narrow, request

Inner = Any
"""A drafting speculator of vLLM's, each built by vLLM for its own speculative config."""


def own_config(engine: VllmConfig, drafter: Mapping[str, Any]) -> VllmConfig:
    """The engine's config as if `drafter` were its only one; whatever else there is stays shared.

    A copy and no `replace`: building a VllmConfig anew would settle the shared compilation settings a second time.
    """
    own = copy.copy(engine)
    own.speculative_config = SpeculativeConfig(
        **drafter, target_model_config=engine.model_config, target_parallel_config=engine.parallel_config
    )
    return own


@contextmanager
def _tagged(name: str) -> Iterator[None]:
    """Keep the compiled code of each drafter apart: vLLM files all drafters' under one name."""
    stock = backends.set_model_tag

    def set_model_tag(tag: str, is_encoder: bool = False) -> Any:
        return stock(f"{tag}_{name}", is_encoder)

    backends.set_model_tag = gemma4.set_model_tag = set_model_tag
    try:
        yield
    finally:
        backends.set_model_tag = gemma4.set_model_tag = stock


class LaneDrafters(DraftModelSpeculator):  # type: ignore[misc]
    """The drafters of an engine's lanes, in the place where vLLM's runner expects one speculator."""

    def __init__(
        self, engine: VllmConfig, device: torch.device, lanes: config.Lanes, inner: Mapping[str, Inner]
    ) -> None:
        # The stock constructor would reserve a drafter's buffers; here each inner speculator has its own.
        self.vllm_config = engine
        self.device = device
        self.lanes = lanes
        self.inner = dict(inner)
        self._numbers = {name: number for number, name in enumerate(self.inner)}
        self._beside = beside.streams(engine, device, self.inner)
        self._narrow: dict[str, narrow.Narrow] = {}
        self.num_speculative_steps = lanes.most_draft_tokens
        self.dcp_size = engine.parallel_config.decode_context_parallel_size
        max_num_reqs = engine.scheduler_config.max_num_seqs
        self._drafter_of = np.full(max_num_reqs, -1, dtype=np.int8)
        self._drafter_of_slot = torch.full((max_num_reqs,), -1, dtype=torch.int8, device=device)
        self._tokens_of = np.zeros(max_num_reqs, dtype=np.int32)
        shape = (max_num_reqs, self.num_speculative_steps)
        self.draft_tokens = torch.full(shape, -1, dtype=torch.int64, device=device)
        self.draft_token_confidence_probs = torch.empty(shape, dtype=torch.float32, device=device)
        self.draft_logits = None
        self.draft_watermarker = self.acceptance_estimator = None
        self.enable_adaptive_verification = False
        self.eplb_state = None

    @property
    def supports_mm_inputs(self) -> bool:
        """Whether any drafter takes images' embeddings."""
        return any(inner.supports_mm_inputs for inner in self.inner.values())

    @property
    def pcp_manager(self) -> Any:
        """Prefill context parallelism, which each drafter has to know of."""
        return next(iter(self.inner.values())).pcp_manager

    @pcp_manager.setter
    def pcp_manager(self, manager: Any) -> None:
        for inner in self.inner.values():
            inner.pcp_manager = manager

    @property
    def attn_groups(self) -> list[Any]:
        """The attention groups of all drafters, which the runner warms up."""
        return [group for inner in self.inner.values() for group in inner.attn_groups]

    @property
    def draft_attn_layer_names(self) -> set[str]:
        """The attention layers of all drafters, which are none of the body's."""
        return {name for inner in self.inner.values() for name in inner.draft_attn_layer_names}

    @property
    def model(self) -> nn.Module:
        """The drafters' models, in one module."""
        return self._models

    def load_draft_model(self, target_model: nn.Module, target_attn_layer_names: set[str]) -> nn.Module:
        """Never called: each drafter loads its own model."""
        raise NotImplementedError

    def load_model(self, target_model: nn.Module) -> None:
        """Load all drafters; those without KV of their own first, for they look for the body's layers by name."""
        for name in sorted(self.inner, key=lambda name: keeps_kv(self.inner[name])):
            with _tagged(name):
                self.inner[name].load_model(target_model)
        self._models = nn.ModuleDict({name: inner.model for name, inner in self.inner.items()})

    def set_eplb_state(self, eplb_state: Any) -> None:
        """Pass expert load balancing on."""
        for inner in self.inner.values():
            inner.set_eplb_state(eplb_state)

    def set_attn(self, model_state: Any, kv_cache_config: Any, block_tables: Any, *args: Any) -> None:
        """Let each drafter set up attention for its own layers."""
        for inner in self.inner.values():
            own = block_tables if keeps_kv(inner) else beside.block_tables(block_tables)
            inner.set_attn(model_state, kv_cache_config, own, *args)

    def init_cudagraph_manager(self, cudagraph_mode: Any) -> None:
        """Let each drafter plan its CUDA graphs."""
        for name, inner in self.inner.items():
            inner.init_cudagraph_manager(cudagraph_mode)
            if name in self._beside:
                beside.own_graphs(inner, self._beside[name])
            elif self._beside:
                self._narrow[name] = narrow.Narrow(inner, cudagraph_mode)

    def capture(self) -> None:
        """Let each drafter capture its CUDA graphs."""
        for graphs in (*self.inner.values(), *self._narrow.values()):
            graphs.capture()

    def add_request(self, slot: int, sampling_params: request.Sampling | None) -> None:
        """Note a new request's drafter in the runner's slot for it."""
        lane = request.choice(sampling_params, self.lanes)
        number = self._numbers[lane.drafter] if lane.drafter else -1
        self._drafter_of[slot] = number
        self._drafter_of_slot[slot] = number
        self._tokens_of[slot] = lane.draft_tokens

    def observe_verification(self, *args: Any) -> None:
        """Nothing is learned from a verdict here; the router does that."""

    def prepare_watermarking(self, *args: Any) -> None:
        """Watermarks are not supported with lanes; `arguments.settle` refuses them."""

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def propose(
        self,
        input_batch: InputBatch,
        *args: Any,
        num_speculative_tokens: int | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Draft [requests, longest draft] token ids; what a request's lane doesn't take is left undefined."""
        given = dict(zip(_POSITIONAL, args, strict=False)) | kwargs
        most = self.num_speculative_steps if num_speculative_tokens is None else num_speculative_tokens
        drafts = self.draft_tokens[: input_batch.num_reqs]
        if given.get("dummy_run"):
            for inner in self.inner.values():
                _ask(inner, most, input_batch, given)
            return drafts
        asked = self._asked(input_batch.idx_mapping_np[: input_batch.num_reqs], most)
        at_once = len(asked) > 1 and all(beside.has_graph(self.inner[name], input_batch) for name in asked)
        rows: dict[str, torch.Tensor] = {}
        proposed: dict[str, torch.Tensor] = {}
        # Those with a stream of their own first: it waits for all that the runner's stream was given before.
        for name, tokens in sorted(asked.items(), key=lambda item: keeps_kv(self.inner[item[0]])):
            if proposed:
                rows[name] = (self._drafter_of_slot[input_batch.idx_mapping] == self._numbers[name]).unsqueeze(1)
            with self._aside(name) if at_once else nullcontext():
                proposed[name] = _ask(self.inner[name], tokens, input_batch, given)[:, :tokens]
        for name in self._beside.keys() & asked.keys() if at_once else ():
            torch.cuda.current_stream(self.device).wait_stream(self._beside[name])
        for name, own_drafts in proposed.items():
            known = drafts[:, : asked[name]]
            if name in rows:
                torch.where(rows[name], own_drafts, known, out=known)
            else:
                known[:] = own_drafts
        return drafts

    def _asked(self, slots: Any, most: int) -> dict[str, int]:
        """The longest draft wanted of each drafter that has requests in these slots, and something to do for them."""
        drafter_of, wanted = self._drafter_of[slots], np.minimum(self._tokens_of[slots], most)
        return {
            name: tokens
            for name, number in self._numbers.items()
            if (own := drafter_of == number).any()
            and ((tokens := int(wanted[own].max())) or keeps_kv(self.inner[name]))
        }

    def _aside(self, name: str) -> AbstractContextManager[Any]:
        """Where a drafter stays out of the other's way: its own stream, from here on in step with the runner's, or few
        multiprocessors.
        """
        if name in self._narrow:
            return self._narrow[name].used()
        own = self._beside.get(name)
        if own is None:
            return nullcontext()
        own.wait_stream(torch.cuda.current_stream(self.device))
        stream: AbstractContextManager[Any] = torch.cuda.stream(own)
        return stream


_POSITIONAL = (
    "attn_metadata", "slot_mappings", "last_hidden_states", "aux_hidden_states", "num_sampled", "num_rejected",
    "last_sampled", "next_prefill_tokens", "temperature", "seeds",
)  # fmt: skip
"""The parameters of vLLM's `BaseSpeculator.propose` after the batch, in order."""


def _ask(inner: Inner, tokens: int, input_batch: InputBatch, given: Mapping[str, Any]) -> torch.Tensor:
    own = dict(given)
    if inner.method != "eagle3":
        own["aux_hidden_states"] = None  # the body's inner layers are for EAGLE-3 alone
    if not inner.supports_mm_inputs:
        own["mm_inputs"] = None
    tokens = min(tokens, inner.num_speculative_steps)
    drafts: torch.Tensor = inner.propose(input_batch, num_speculative_tokens=tokens, **own)
    return drafts


def keeps_kv(inner: Inner) -> bool:
    """Say whether a drafter writes KV of its own, and so has to read all that its requests read."""
    return bool(inner.advance_draft_positions)
