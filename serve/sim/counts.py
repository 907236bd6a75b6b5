"""What a simulated engine has done so far, in vLLM's own metrics."""

from collections import Counter

from serve.sim.work import Work


class Counts:
    """Adds answers up, those included that a client left half-way."""

    def __init__(self, model: str) -> None:
        self._labels = f'model_name="{model}",engine="0"'
        self._totals: Counter[str] = Counter()
        self._positions: Counter[int] = Counter()

    def count(self, work: Work) -> None:
        """Add one answer."""
        self._totals["prompt_tokens"] += work.prompt_tokens
        self._totals["generation_tokens"] += work.done
        self._totals["spec_decode_num_drafts"] += len(work.accepted)
        self._totals["spec_decode_num_draft_tokens"] += work.drafted
        self._totals["spec_decode_num_accepted_tokens"] += sum(work.accepted)
        for got in work.accepted:
            self._positions.update(range(got))

    def exposition(self, running: int, waiting: int) -> str:
        """Write Prometheus' text format."""
        lines = []
        for name, value in (("num_requests_running", running), ("num_requests_waiting", waiting)):
            lines += [f"# TYPE vllm:{name} gauge", f"vllm:{name}{{{self._labels}}} {value}"]
        for name, value in self._totals.items():
            lines += [f"# TYPE vllm:{name} counter", f"vllm:{name}_total{{{self._labels}}} {value}"]
        lines.append("# TYPE vllm:spec_decode_num_accepted_tokens_per_pos counter")
        for position, value in sorted(self._positions.items()):
            series = f'vllm:spec_decode_num_accepted_tokens_per_pos_total{{{self._labels},position="{position}"}}'
            lines.append(f"{series} {value}")
        return "\n".join([*lines, ""])
