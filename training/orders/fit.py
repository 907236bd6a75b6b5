"""Fits the weights by which `serve.routing.order` decides, and writes them.

Run as `python -m training.orders.fit`. Learns from `mentions.tsv`, written by hand, and from the sentences that
`training.orders.sentences` puts together. Deterministic: the same files give the same weights, to the digits that are
written. Takes some ten seconds and needs numpy alone.
"""

import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serve.routing import order
from serve.routing.directive import mentions
from serve.routing.wording import wording
from training.orders.sentences import frames, sentences

HERE = Path(__file__).parent
WEIGHTS = Path(order.__file__).with_name("order_weights.tsv")
WRITTEN = 4.0  # what one written mention counts against a made-up one
COPY = 0.5  # what each of its two copies counts: one without words, which stands for words never seen, one thinned
THINNED = 0.3  # the share of features that the thinned copy lacks
L1, L2 = 0.5, 0.01
STEPS = 200
KEPT = 0.01  # the smallest weight that is written


@dataclass(frozen=True, slots=True)
class Sample:
    """A mention's features, whether it orders the answer's language, and what it counts."""

    features: frozenset[str]
    orders: bool
    counts: float


def written(lines: Iterable[str]) -> Iterator[Sample]:
    """Read lines of `+` or `-`, an id and a text with one name in brackets."""
    for line in lines:
        sign, _, text = line.rstrip("\n").split("\t")
        marked = re.sub(r"\\n", "\n", text)
        at = marked.index("[")
        lowered = wording(marked.replace("[", "", 1).replace("]", "", 1))
        found = [mention for mention in mentions(lowered) if mention.start == at]
        yield from (Sample(frozenset(order.features(mention)), sign == "+", WRITTEN) for mention in found)


def made() -> Iterator[Sample]:
    """Take the names in the sentences put together."""
    for text, spans in sentences(frames()):
        for mention in mentions(wording(text)):
            for begin, end, orders in spans:
                if begin <= mention.start < end:
                    yield Sample(frozenset(order.features(mention)), orders, 1.0)


def without_words(sample: Sample) -> Sample:
    """Leave only the kinds of words, so that these are learned too."""
    kept = frozenset(feature for feature in sample.features if ":" not in feature.partition("=")[0])
    return Sample(kept, sample.orders, sample.counts * COPY)


def thinned(sample: Sample, rng: random.Random) -> Sample:
    """Leave out features at random, so that no decision hangs on few of them."""
    kept = frozenset(feature for feature in sorted(sample.features) if feature == order.BIAS or rng.random() > THINNED)
    return Sample(kept, sample.orders, sample.counts * COPY)


def fit(samples: list[Sample]) -> dict[str, float]:
    """Logistic regression under L1 and a little L2, by accelerated proximal gradient steps of a size for each weight.

    The step of a weight is the inverse of a bound on the curvature along it: the sum over samples of counts times
    number of features, a quarter of which the logistic function has at most.
    """
    seen = Counter(feature for sample in samples for feature in sample.features)
    names = sorted(feature for feature, times in seen.items() if times > 1)
    place = {name: i for i, name in enumerate(names)}
    pairs = [(row, place[f]) for row, s in enumerate(samples) for f in sorted(s.features) if f in place]
    rows, columns = np.array(pairs).T
    wanted = np.array([sample.orders for sample in samples], dtype=float)
    counts = np.array([sample.counts for sample in samples])
    width = np.bincount(rows, minlength=len(samples)) * counts
    step = 1 / (0.25 * np.bincount(columns, weights=width[rows], minlength=len(names)) + L2)
    cost = np.full(len(names), L1)
    cost[place[order.BIAS]] = 0
    weights = ahead = np.zeros(len(names))
    momentum = 1.0
    for _ in range(STEPS):
        margin = np.bincount(rows, weights=ahead[columns], minlength=len(samples))
        slope = counts * (1 / (1 + np.exp(-margin)) - wanted)
        moved = ahead - step * (np.bincount(columns, weights=slope[rows], minlength=len(names)) + L2 * ahead)
        shrunk = np.sign(moved) * np.maximum(np.abs(moved) - step * cost, 0)
        following = (1 + np.sqrt(1 + 4 * momentum * momentum)) / 2
        ahead = shrunk + (momentum - 1) / following * (shrunk - weights)
        weights, momentum = shrunk, following
    return {name: float(weight) for name, weight in zip(names, weights, strict=True) if abs(weight) >= KEPT}


def samples() -> list[Sample]:
    """Everything to be learned from."""
    with (HERE / "mentions.tsv").open(encoding="utf-8") as lines:
        found = [*written(lines), *made()]
    rng = random.Random("thinned")
    return [*found, *map(without_words, found), *(thinned(sample, rng) for sample in found)]


def main() -> None:
    """Write the weights into the package."""
    learned = fit(samples())
    lines = [f"{feature}\t{weight:.2f}\n" for feature, weight in sorted(learned.items())]
    WEIGHTS.write_text("".join(lines), encoding="utf-8")
    sys.stdout.write(f"{len(lines)} weights\n")


if __name__ == "__main__":
    main()
