"""The regression of step times, by values and against data that it has to find again."""

import math
import random

import pytest

from serve.routing.step_time import Sums, features, fit_box, fit_lane


def lane(rng: random.Random, base: float, slope: float, number: int, batches: tuple[int, ...] = (1, 2, 4, 8)) -> Sums:
    sums = Sums()
    for _ in range(number):
        batch = rng.choice(batches)
        seconds = base * batch**slope * math.exp(rng.gauss(0, 0.1))
        sums = sums.plus(features(batch, 500), math.log(seconds), 0.9, 0.1)
    return sums


def expected(sums: list[Sums], which: int, batch: int) -> float:
    return math.exp(fit_lane(sums[which], fit_box(sums)).predict(features(batch, 500)).mean)


def test_features_count_doublings() -> None:
    assert features(8, 4096) == (1.0, 3.0, 9.0, 1.0)
    assert features(0.5, 0) == (1.0, 0.0, 0.0, 0.0)


def test_finds_step_times_by_batch_again() -> None:
    rng = random.Random(1)
    sums = [lane(rng, 0.025, 0.15, 300), lane(rng, 0.030, 0.25, 300)]
    for which, base, slope in ((0, 0.025, 0.15), (1, 0.030, 0.25)):
        for batch in (1, 4, 8):
            assert expected(sums, which, batch) == pytest.approx(base * batch**slope, rel=0.05)


def test_a_lane_never_run_under_load_borrows_the_boxs_slope() -> None:
    rng = random.Random(2)
    sums = [lane(rng, 0.025, 0.4, 300), lane(rng, 0.030, 0.4, 40, (1,))]
    slowdown = expected(sums, 1, 8) / expected(sums, 1, 1)
    assert slowdown == pytest.approx(8**0.4, rel=0.25)
    assert expected([Sums(), sums[1]], 1, 8) / expected([Sums(), sums[1]], 1, 1) < slowdown


def test_is_less_sure_of_a_load_that_it_never_saw() -> None:
    rng = random.Random(3)
    sums = [lane(rng, 0.025, 0.15, 300, (1, 2))]
    fitted = fit_lane(sums[0], fit_box(sums))
    assert fitted.predict(features(16, 500)).variance > 10 * fitted.predict(features(2, 500)).variance


def test_with_nothing_seen_a_lane_is_anybodys_guess() -> None:
    belief = fit_lane(Sums(), fit_box([Sums()])).predict(features(1, 0))
    assert belief.mean == pytest.approx(math.log(0.03))
    assert belief.variance == pytest.approx(1.5**2 + 0.6**2)


def test_slower_moves_the_expectation_and_nothing_else() -> None:
    rng = random.Random(4)
    sums = lane(rng, 0.025, 0.15, 300)
    slower = sums.slower(math.log(2))
    assert expected([slower], 0, 4) == pytest.approx(2 * expected([sums], 0, 4), rel=0.02)
    assert slower.xx == sums.xx


def test_age_and_cap_scale_everything_alike() -> None:
    sums = lane(random.Random(5), 0.025, 0.15, 20)
    assert sums.aged(3600, 3600).weight == pytest.approx(sums.weight / 2)
    capped = sums.capped(2.0)
    assert capped.weight == pytest.approx(2.0)
    assert capped.xy[0] / capped.weight == pytest.approx(sums.xy[0] / sums.weight)
    assert sums.capped(1e9) == sums
