# mypy: disable-error-code="import-not-found"
"""Runs offline engines one after the other in the engine's environment, as JSON on the standard input tells.

In: [{"engine": {keyword arguments of vllm.LLM}, "batches": [{"prompts": [...], "sampling": {...}}]}]; "sampling" may be
a list, one for each prompt, and hold a "json_schema" for the answer. Out, into the file that is the only argument: for
each engine {"batches": [[token ids of each prompt] of each batch], "measured": [[each prompt's speculative decoding
metrics, or null] of each batch], "metrics": {...}}.
"""

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    from vllm import LLM
    from vllm.distributed import cleanup_dist_env_and_memory

    answers = []
    for task in json.load(sys.stdin):
        llm = LLM(**task["engine"])
        batches, measured = [], []
        for batch in task["batches"]:
            said = batch["sampling"]
            sampling = [parameters(each) for each in (said if isinstance(said, list) else [said])]
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


def parameters(said: dict[str, Any]) -> Any:
    """Make sampling parameters as the API does, which takes JSON's string keys for token ids."""
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    schema = said.pop("json_schema", None)
    structured = StructuredOutputsParams(json=schema) if schema else None
    return SamplingParams.from_optional(**said, structured_outputs=structured)


if __name__ == "__main__":
    main()
