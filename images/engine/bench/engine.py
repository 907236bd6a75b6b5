"""One engine to be timed, in a process of its own: `engine.py SPEC`, commands on standard input, results after them.

SPEC is JSON: {"engine": {arguments of vllm.LLM}}. A command is a line of JSON, {"lanes": [a request's lane or null],
"tokens": [how many it generates]}; its answer is a line that begins with `RESULT`: seconds, and each request's steps.
With {"profile": true} besides, the log gets the kernels that took longest.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PROMPT_TOKENS = 64


def main() -> None:
    """Load, then time what is asked for until the input ends."""
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    from vllm import LLM, SamplingParams

    spec = json.loads(sys.argv[1])
    started = time.perf_counter()
    llm = LLM(**spec["engine"])
    say({"started": round(time.perf_counter() - started, 1), "memory": memory()})

    for line in sys.stdin:
        command = json.loads(line)
        prompts = [
            {"prompt_token_ids": [(i * 37 + j * 11) % 1500 + 5 for j in range(PROMPT_TOKENS)]}
            for i in range(len(command["lanes"]))
        ]
        sampling = [
            SamplingParams(
                temperature=0,
                max_tokens=tokens,
                ignore_eos=True,
                detokenize=False,
                extra_args={"lane": lane} if lane else None,
            )
            for lane, tokens in zip(command["lanes"], command["tokens"], strict=True)
        ]
        begun = time.perf_counter()
        with profiled(bool(command.get("profile"))):
            outputs = llm.generate(prompts, sampling, use_tqdm=False)
        say({"seconds": time.perf_counter() - begun, "steps": list(map(steps, outputs))})
    sys.stdout.flush()
    os._exit(0)  # an orderly shutdown takes minutes on some drivers, and nothing is left to be saved


@contextmanager
def profiled(wanted: bool) -> Iterator[None]:
    """Write the kernels that took longest to the log."""
    if not wanted:
        yield
        return
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        yield
    for key in ("self_cuda_time_total", "self_cpu_time_total"):
        sys.stderr.write(profiler.key_averages().table(sort_by=key, row_limit=30, max_name_column_width=70) + "\n")


def steps(output: Any) -> int:
    """Steps in which a request got tokens: those that verified drafts, and else one for each token."""
    measured = output.outputs[0].spec_decode_metrics
    drafted = measured.to_dict() if measured is not None else {"num_spec_steps": 0, "num_accepted_draft_tokens": 0}
    return len(output.outputs[0].token_ids) - int(drafted["num_accepted_draft_tokens"])


def memory() -> float:
    """GiB of the device that this process's PyTorch has taken, or 0 without one."""
    import torch

    return round(torch.cuda.memory_reserved() / 2**30, 2) if torch.cuda.is_available() else 0.0


def say(result: dict[str, Any]) -> None:
    """Answer on a line that no log line looks like."""
    print("RESULT " + json.dumps(result), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
