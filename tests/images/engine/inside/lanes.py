# mypy: disable-error-code="import-not-found"
"""Puts what lanes need on a GPU through its paces without one: which drafter is asked for what, who gets which graph.

Drafters are stand-ins that say who they are; everything else is vLLM's and ours. Out, into the file that is the only
argument: {"asked": [[drafter, draft tokens, has inner states] of each case], "drafts": [tokens of each case], "graphs":
{case: [mode, tokens, requests, query length of a uniform graph, longest query of a mixed one]}, "kv groups": {case:
[layers of each group]}, "kv shared": [whether each layer of a group has a spec], "kv layouts": {case: [layouts, the
preferred one first]}, "slots": [the engine's slot mappings after the step of a drafter without KV, that drafter's], "in
graphs": [whether a drafter has them all, for steps of equal length, of different ones, and of one that no lane has],
"states": [accepted tokens at a capture, null where refused: short queries in stock vLLM and with lanes; longest;
longer], "salts": [of each lane without one of the client's, with one, with one that would pass for a drafter's],
"settled": {case: [worker, scheduler], or the refusal}}.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from polydraft_vllm.lanes import admission, arguments, beside, config, drafters, graphs, kv_groups, narrow
from vllm.config.compilation import CUDAGraphMode
from vllm.v1.attention.backends.mamba_attn import BaseMambaAttentionMetadataBuilder
from vllm.v1.core.kv_cache_utils import get_kv_cache_groups
from vllm.v1.kv_cache_interface import FullAttentionSpec, SlidingWindowSpec
from vllm.v1.kv_cache_layout import KVCacheLayout
from vllm.v1.worker.utils import add_kv_sharing_layers_to_kv_cache_groups

MTP = {"method": "mtp", "model": "assistant", "num_speculative_tokens": 4}
EAGLE3 = {"method": "eagle3", "model": "head", "num_speculative_tokens": 3}
LANES = config.read({"polydraft": {"drafters": {"mtp": MTP, "eagle3": EAGLE3}}})
SLOTS = 8
CASES: dict[str, tuple[list[str], int | None]] = {
    "bodies alone": (["body"] * 3, 0),
    "mtp alone": (["mtp"] * 3, 4),
    "eagle3 alone": (["eagle3"] * 2, 3),
    "a prompt's first part": (["eagle3", "mtp"], 0),
    "all mixed": (["body", "eagle3", "mtp", "eagle3", "body", "mtp"], 4),
    "mtp beside bodies": (["body", "mtp", "body"], 4),
}


class Drafter:
    """Proposes `number * 100 + request * 10 + position`, and notes what it was asked."""

    supports_mm_inputs = False
    prefill_cudagraph_manager = decode_cudagraph_manager = None

    def __init__(self, name: str, number: int, steps: int, keeps_kv: bool, asked: list[Any]) -> None:
        self.method, self.number, self.num_speculative_steps = name, number, steps
        self.advance_draft_positions, self.asked = keeps_kv, asked
        self.draft_tokens = torch.zeros(SLOTS, steps, dtype=torch.int64)

    def propose(self, batch: Any, *, num_speculative_tokens: int, aux_hidden_states: Any, **_: Any) -> torch.Tensor:
        self.asked.append([self.method, num_speculative_tokens, aux_hidden_states is not None])
        rows, steps = torch.arange(batch.num_reqs).unsqueeze(1), torch.arange(self.num_speculative_steps)
        self.draft_tokens[: batch.num_reqs] = self.number * 100 + rows * 10 + steps
        return self.draft_tokens[: batch.num_reqs]


def engine() -> Any:
    return SimpleNamespace(
        scheduler_config=SimpleNamespace(max_num_seqs=SLOTS),
        parallel_config=SimpleNamespace(decode_context_parallel_size=1, world_size=1),
    )


def drafting(lanes: list[str], tokens: int | None) -> tuple[list[Any], list[list[int]]]:
    asked: list[Any] = []
    inner = {"eagle3": Drafter("eagle3", 2, 3, True, asked), "mtp": Drafter("mtp", 1, 4, False, asked)}
    assert LANES is not None
    speculator = drafters.LaneDrafters(engine(), torch.device("cpu"), LANES, inner)
    slots = [7, 2, 5, 0, 3, 6, 1, 4][: len(lanes)]  # requests lie in the runner's slots in any order
    for slot, lane in zip(slots, lanes, strict=True):
        speculator.add_request(slot, SimpleNamespace(extra_args={"lane": lane}, min_p=0.0, logit_bias=None))
    batch = SimpleNamespace(
        num_reqs=len(lanes),
        num_tokens=2 * len(lanes),
        num_scheduled_tokens=np.full(len(lanes), 2),
        decode_graph_eligible=True,
        idx_mapping_np=np.array(slots),
        idx_mapping=torch.tensor(slots),
    )
    drafts = speculator.propose(batch, *[object()] * 10, num_speculative_tokens=tokens)
    return asked, drafts.tolist()


def planned() -> graphs.LaneCudaGraphManager:
    manager: Any = object.__new__(graphs.LaneCudaGraphManager)
    manager._query_lens, manager._mixes = [5, 4, 1], True
    manager.compilation_config = SimpleNamespace(
        cudagraph_capture_sizes=[1, 2, 4, 8, 16, 24, 32, 40], max_cudagraph_capture_size=40
    )
    manager.vllm_config = SimpleNamespace(
        speculative_config=None, cache_config=SimpleNamespace(use_kda_recoverssm=False)
    )
    manager.cudagraph_mode, manager.max_num_reqs, manager.decode_query_len = CUDAGraphMode.FULL_AND_PIECEWISE, 8, 5
    manager.varlen_decode, manager.ubatch_runner, manager.lora_capture_cases = False, None, [0]
    manager._lora_dispatch_map, manager._max_lora_case = {0: 0}, 0
    manager._candidates, manager._capture_descs, manager._graphs_captured = {}, {}, True
    manager._init_candidates()
    return manager  # type: ignore[no-any-return]


def graph(manager: Any, requests: int, tokens: int, uniform: int | None, longest: int | None) -> list[Any]:
    found = manager.dispatch(requests, tokens, uniform, 0, longest)
    assert found.cg_mode == CUDAGraphMode.NONE or found in manager._capture_descs[found.cg_mode], "never captured"
    return [found.cg_mode.name, found.num_tokens, found.num_reqs, found.uniform_token_count, found.max_query_len]


class CacheConfig:
    """What grouping asks of vLLM's."""

    def __init__(self, layout: str) -> None:
        self.kv_cache_layout = layout

    def get_resolved_kv_cache_layout(self) -> KVCacheLayout:
        return KVCacheLayout[self.kv_cache_layout]


def kv_layers(drafter: bool) -> dict[str, Any]:
    """Gemma 4 26B-A4B's layers, and an EAGLE-3 head's."""
    full = FullAttentionSpec(block_size=16, num_kv_heads=2, head_size=512, dtype=torch.bfloat16)
    sliding = SlidingWindowSpec(block_size=16, num_kv_heads=8, head_size=256, dtype=torch.bfloat16, sliding_window=1024)
    own = FullAttentionSpec(block_size=16, num_kv_heads=11, head_size=128, dtype=torch.bfloat16)
    body = {f"body.{number}": full if number % 6 == 5 else sliding for number in range(30)}
    return body | ({"drafter.0": own} if drafter else {})


def kv_engine(layout: str) -> Any:
    return SimpleNamespace(
        scheduler_config=SimpleNamespace(disable_hybrid_kv_cache_manager=False),
        attention_config=SimpleNamespace(hisparse_config=None),
        cache_config=CacheConfig(layout),
        speculative_config=None,
    )


def kv_grouped(layout: str, *, drafter: bool) -> list[list[str]]:
    made = kv_groups.grouped(get_kv_cache_groups, kv_engine(layout), kv_layers(drafter))
    return [group.layer_names for group in made]


def kv_shared() -> list[bool]:
    """Of an assistant's layer that reads the body's last one: whether each of its group's layers has a spec."""
    made = kv_groups.grouped(get_kv_cache_groups, kv_engine("BLHNC"), kv_layers(drafter=True))
    shared = kv_groups.with_shared(SimpleNamespace(kv_cache_groups=made), {"assistant.0": "body.29"})
    add_kv_sharing_layers_to_kv_cache_groups({"assistant.0": "body.29"}, shared.kv_cache_groups)
    (group,) = [group for group in shared.kv_cache_groups if "assistant.0" in group.layer_names]
    return [name in group.kv_cache_spec.kv_cache_specs for name in group.layer_names]


def kv_layout(*, lanes: bool, drafter: bool) -> list[str]:
    """The layouts that vLLM is told of, in order of preference."""
    engine = SimpleNamespace(additional_config={"polydraft": {"drafters": {"eagle3": EAGLE3}}} if lanes else {})
    told = kv_groups._preferring(lambda _, supported, __: supported[0])
    preferred: list[str] = told(engine, [["LBNHC", "LBHNC", "BLNHC", "BLHNC"]], kv_layers(drafter).values())
    return preferred


def slots() -> list[list[int]]:
    engine = SimpleNamespace(slot_mappings=torch.tensor([[1, 2, 3]]))
    beside.block_tables(engine).slot_mappings[:] = 9  # a drafter's step writes them anew
    return [engine.slot_mappings[0].tolist(), beside.block_tables(engine).slot_mappings[0].tolist()]


def in_graphs(manager: Any, query_lens: list[int]) -> bool:
    """Whether all that a drafter does for a batch of decodes is in full graphs."""
    batch = SimpleNamespace(
        num_reqs=len(query_lens),
        num_tokens=sum(query_lens),
        num_tokens_after_padding=sum(query_lens),
        num_scheduled_tokens=np.array(query_lens),
        decode_graph_eligible=True,
    )
    drafter = SimpleNamespace(prefill_cudagraph_manager=manager, decode_cudagraph_manager=manager)
    return beside.has_graph(drafter, batch)


class Captured:
    """A drafter that notes with which graphs it is told to capture."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.init_cudagraph_manager(None)

    def init_cudagraph_manager(self, _: Any) -> None:
        self.prefill_cudagraph_manager, self.decode_cudagraph_manager = planned(), planned()

    def capture(self) -> None:
        self.seen.append(sorted(mode.name for mode in self.prefill_cudagraph_manager._capture_descs))


def narrow_graphs() -> dict[str, Any]:
    drafter = Captured()
    ordinary = drafter.prefill_cudagraph_manager
    second = narrow.Narrow(drafter, None)
    drafter.capture()
    second.capture()  # where there is no cuBLAS to be told
    with second.used():
        used = drafter.prefill_cudagraph_manager
    return {
        "captured": drafter.seen,
        "apart": used is not ordinary,
        "restored": drafter.prefill_cudagraph_manager is ordinary,
    }


class StateBuilder(BaseMambaAttentionMetadataBuilder):  # type: ignore[misc]
    """Metadata for layers with a state, but for what it is made of: says how many tokens it takes as accepted."""

    def __init__(self, drafts: int) -> None:
        self.num_spec_tokens, self.decode_cudagraph_max_bs = drafts, SLOTS

    def build(self, _: int, common: Any, *, num_accepted_tokens: Any) -> Any:
        return num_accepted_tokens.tolist()


def captured_states(query_len: int) -> list[int] | None:
    """What is accepted of each request when a graph is captured, or nothing where vLLM refuses the length."""
    starts = torch.arange(3, dtype=torch.int32) * query_len
    batch = SimpleNamespace(max_query_len=query_len, num_reqs=2, query_start_loc=starts)
    try:
        accepted: list[int] = StateBuilder(3).build_for_cudagraph_capture(batch)
    except AssertionError:
        return None
    return accepted


def salts(given: str | None) -> dict[str, str | None]:
    assert LANES is not None
    return {name: admission.salt(lane, LANES, given) for name, lane in LANES.by_name.items()}


def settled(**changed: Any) -> list[str] | str:
    """What a GPU engine's config becomes: its worker and scheduler, or why it is refused."""
    made = SimpleNamespace(
        additional_config={"polydraft": {"drafters": {"mtp": MTP, "eagle3": EAGLE3}}},
        scheduler_config=SimpleNamespace(scheduler_cls=None, async_scheduling=changed.pop("async_scheduling", True)),
        parallel_config=SimpleNamespace(
            worker_cls=changed.pop("worker_cls", "vllm.v1.worker.gpu_worker.Worker"),
            data_parallel_size=changed.pop("data_parallel_size", 1),
        ),
        model_config=SimpleNamespace(hf_text_config=SimpleNamespace(model_type=changed.pop("body", "gemma4_text"))),
        use_v2_model_runner=True,
    )
    vars(made).update(changed)
    try:
        arguments.settle(made)
        arguments.settle(made)  # vLLM makes a config anew from another one at times
    except ValueError as error:
        return str(error)
    return [made.parallel_config.worker_cls, made.scheduler_config.scheduler_cls]


def main() -> None:
    done = {name: drafting(*case) for name, case in CASES.items()}
    manager = planned()
    refused = captured_states(1)
    graphs.capture_short_queries()
    answer = {
        "asked": {name: asked for name, (asked, _) in done.items()},
        "drafts": {name: drafts for name, (_, drafts) in done.items()},
        "kv groups": {
            "body": kv_grouped("LBHNC", drafter=False),
            "vLLM's": kv_grouped("LBHNC", drafter=True),
            "lanes": kv_grouped("BLHNC", drafter=True),
        },
        "kv shared": kv_shared(),
        "kv layouts": {
            "lanes": kv_layout(lanes=True, drafter=True),
            "no drafter with KV": kv_layout(lanes=True, drafter=False),
            "no lanes": kv_layout(lanes=False, drafter=True),
        },
        "slots": slots(),
        "narrow graphs": narrow_graphs(),
        "in graphs": [in_graphs(manager, [5, 5]), in_graphs(manager, [5, 1]), in_graphs(manager, [3, 3])],
        "states": [refused, captured_states(1), captured_states(4), captured_states(5)],
        "salts": [salts(None), salts("client's"), salts("eagle3\0")],
        "settled": {
            "async": settled(),
            "sync": settled(async_scheduling=False),
            "another body": settled(body="qwen3_next"),
            "another worker": settled(worker_cls="mine.Worker"),
            "data parallel": settled(data_parallel_size=2),
            "watermarks": settled(watermark_config=object()),
            "no lanes": settled(additional_config={}),
        },
        "graphs": {
            "one body": graph(manager, 1, 1, 1, 1),
            "eight bodies": graph(manager, 8, 8, 1, 1),
            "three mtp": graph(manager, 3, 15, 5, 5),
            "six eagle3": graph(manager, 6, 24, 4, 4),
            "a body and an mtp": graph(manager, 2, 6, None, 5),
            "a short prompt": graph(manager, 2, 6, None, None),
        },
    }
    Path(sys.argv[1]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
