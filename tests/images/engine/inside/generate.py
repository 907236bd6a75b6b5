# mypy: disable-error-code="import-not-found"
"""Runs offline engines one after the other in the engine's environment, as JSON on the standard input tells.

In: [{"engine": {keyword arguments of vllm.LLM}, "batches": [{"prompts": [...], "sampling": {...}}]}]; "sampling" may be
a list, one for each prompt. Out, into the file that is the only argument: for each engine {"batches": [[token ids of
each prompt] of each batch], "measured": [[each prompt's speculative decoding metrics, or null] of each batch],
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
        batches, measured = [], []
        for batch in task["batches"]:
            said = batch["sampling"]
            # `from_optional` is how the API makes them: it takes JSON's string keys for token ids.
            sampling = [SamplingParams.from_optional(**each) for each in (said if isinstance(said, list) else [said])]
            sampling = sampling if len(sampling) > 1 else sampling[0]
            outputs = [output.outputs[0] for output in llm.generate(batch["prompts"], sampling, use_tqdm=False)]
            batches.append([list(output.token_ids) for output in outputs])
            measured.append([output.spec_decode_metrics and output.spec_decode_metrics.to_dict() for output in outputs])
        metrics = {metric.name: metric.value for metric in llm.get_metrics() if hasattr(metric, "value")}
        answers.append({"batches": batches, "measured": measured, "metrics": metrics})
        llm.llm_engine.engine_core.shutdown()
        del llm
        cleanup_dist_env_and_memory()
    Path(sys.argv[1]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
