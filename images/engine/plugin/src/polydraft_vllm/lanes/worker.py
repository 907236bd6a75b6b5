"""The GPU worker of an engine with lanes: vLLM's own, with a model runner that knows each request's drafter."""

from typing import Any

from vllm.v1.worker.gpu import model_runner
from vllm.v1.worker.gpu.attn_utils import get_shared_kv_cache_layers, get_varlen_cudagraph_unsupported_backend
from vllm.v1.worker.gpu.spec_decode import init_speculator
from vllm.v1.worker.gpu_worker import Worker

from polydraft_vllm.lanes import config, kv_groups
from polydraft_vllm.lanes.drafters import LaneDrafters, own_config
from polydraft_vllm.lanes.graphs import LaneCudaGraphManager, capture_short_queries


class LaneModelRunner(model_runner.GPUModelRunner):  # type: ignore[misc]
    """Drafts for each request with its lane's drafter, and plans CUDA graphs for the lanes' query lengths."""

    speculator: Any

    def __init__(self, vllm_config: Any, device: Any) -> None:
        super().__init__(vllm_config, device)
        lanes = config.read(vllm_config.additional_config)
        assert lanes is not None, "the lane worker is chosen only where there are lanes"
        self.lanes = lanes
        capture_short_queries()
        if self.speculator is not None:
            inner = {
                name: init_speculator(own_config(vllm_config, drafter), device, self.req_states)
                for name, drafter in lanes.cut_drafters().items()
            }
            self.speculator = LaneDrafters(vllm_config, device, lanes, inner)

    def add_requests(self, scheduler_output: Any) -> None:
        """Take new requests in, with their drafters."""
        super().add_requests(scheduler_output)
        if self.speculator is not None:
            for new in scheduler_output.scheduled_new_reqs:
                self.speculator.add_request(self.req_states.req_id_to_index[new.req_id], new.sampling_params)

    def initialize_kv_cache(self, kv_cache_config: Any, *args: Any, **kwargs: Any) -> None:
        """Set up the caches and plan the CUDA graphs."""
        kv_cache_config = kv_groups.with_shared(kv_cache_config, get_shared_kv_cache_layers(self.vllm_config))
        stock = model_runner.ModelCudaGraphManager
        model_runner.ModelCudaGraphManager = self._graph_manager
        try:
            super().initialize_kv_cache(kv_cache_config, *args, **kwargs)
        finally:
            model_runner.ModelCudaGraphManager = stock

    def _graph_manager(self, *args: Any, **kwargs: Any) -> LaneCudaGraphManager:
        lens = sorted({1 + lane.draft_tokens for lane in self.lanes.by_name.values()}, reverse=True)
        drafting = self.speculator.draft_attn_layer_names if self.speculator is not None else set()
        body = {name for groups in self.attn_groups for group in groups for name in group.layer_names} - drafting
        unfit = get_varlen_cudagraph_unsupported_backend(self.attn_groups, self.vllm_config, lens[0], body)
        return LaneCudaGraphManager(*args, query_lens=lens, mixes=unfit is None, **kwargs)


class LaneWorker(Worker):  # type: ignore[misc]
    """vLLM's GPU worker with the runner above."""

    def _make_model_runner(self) -> Any:
        return LaneModelRunner(self.vllm_config, self.device)
