"""A real engine whose acceptance is asked for rather than earned, greedy and sampling: what load tests stand on."""

import pytest

from tests.images.engine.conftest import Inside, Task
from tests.images.engine.models import PROMPTS, body

pytestmark = pytest.mark.engine

RATES = [0.7, 0.4]
# Five standard errors of the accepted tokens a step, over at least 1,000 steps: their variance is 0.69 at these rates.
TOLERANCE = 5 * (0.69 / 1000) ** 0.5


def test_acceptance_comes_out_at_the_asked_rates(inside: Inside) -> None:
    drafter = body("gemma4-assistant")["model"]
    speculative = {"method": "mtp", "model": drafter, "num_speculative_tokens": len(RATES)}
    synthetic = {"rejection_sample_method": "synthetic", "synthetic_acceptance_rates": RATES}
    engine = body("gemma4", speculative_config=speculative | synthetic)
    batches = [
        {"prompts": [PROMPTS[0]] * 16, "sampling": {"temperature": temperature, "max_tokens": 96, "ignore_eos": True}}
        for temperature in (0, 0.8)
    ]
    [answer] = inside.generate([Task(engine=engine, batches=batches)])
    steps = answer["metrics"]["vllm:spec_decode_num_drafts"]
    assert steps >= 1000
    assert answer["metrics"]["vllm:spec_decode_num_accepted_tokens"] / steps == pytest.approx(sum(RATES), abs=TOLERANCE)
