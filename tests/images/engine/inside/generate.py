# mypy: disable-error-code="import-not-found"
"""Runs offline engines one after the other in the engine's environment, as JSON on the standard input tells.

In: [{"engine": {keyword arguments of vllm.LLM}, "batches": [{"prompts": [...], "sampling": {...}}]}].
Out, into the file that is the only argument: for each engine {"batches": [[token ids of each prompt] of each batch],
"metrics": {...}}.
"""

import json
import sys
from pathlib import Path


def main() -> None:
    from vllm import LLM, SamplingParams
    from vllm.distributed import cleanup_dist_env_and_memory

    answers = []
    for task in json.load(sys.stdin):
        llm = LLM(**task["engine"])
        batches = []
        for batch in task["batches"]:
            outputs = llm.generate(batch["prompts"], SamplingParams(**batch["sampling"]), use_tqdm=False)
            batches.append([list(output.outputs[0].token_ids) for output in outputs])
        metrics = {metric.name: metric.value for metric in llm.get_metrics() if hasattr(metric, "value")}
        answers.append({"batches": batches, "metrics": metrics})
        llm.llm_engine.engine_core.shutdown()
        del llm
        cleanup_dist_env_and_memory()
    Path(sys.argv[1]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
