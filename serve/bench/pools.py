"""Puts samples together by what was asked, only those of prompts that every lane answered soundly.

So no lane is judged by easier prompts, nor by a number that garbage made. Prompts are what is counted, not answers:
what a lane does with a prompt in one round it does in the next, so that rounds are no further evidence.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from serve.bench.plan import Setting, Way
from serve.bench.prompts import ANY
from serve.bench.sample import Sample

Numbers = npt.NDArray[np.float64]
_Where = tuple[Setting, str, str]

_DRAWS = 4000
_TAIL = NormalDist().inv_cdf(0.975)  # standard deviations to either end of a 95 % interval


@dataclass(frozen=True, slots=True)
class Pool:
    """The answers of one setting, language and task (`*` is any), a row a prompt and a column a way.

    `tokens` are those after the first, and `seconds` what they took, summed over rounds; `samples` are by way.
    """

    setting: Setting
    language: str
    task: str
    ways: tuple[Way, ...]
    tokens: Numbers
    seconds: Numbers
    samples: tuple[tuple[Sample, ...], ...]

    @property
    def prompts(self) -> int:
        """How many prompts were answered in every way."""
        return len(self.tokens)

    def rates(self) -> Numbers:
        """Give each way's tokens a second."""
        rates: Numbers = self.tokens.sum(axis=0) / self.seconds.sum(axis=0)
        return rates

    def drawn(self, seed: int) -> Numbers:
        """Give the rates that other draws of as many prompts would have had: a row a draw, a column a way."""
        even = np.full(self.prompts, 1 / self.prompts)
        often = np.random.default_rng(seed).multinomial(self.prompts, even, size=_DRAWS)
        rates: Numbers = (often @ self.tokens) / (often @ self.seconds)
        return rates

    def only(self, wanted: Callable[[Way], bool]) -> "Pool":
        """Give the same of some of the ways."""
        kept = [index for index, way in enumerate(self.ways) if wanted(way)]
        ways, samples = (tuple(each[index] for index in kept) for each in (self.ways, self.samples))
        return Pool(self.setting, self.language, self.task, ways, self.tokens[:, kept], self.seconds[:, kept], samples)  # type: ignore[arg-type]


def interval(values: Numbers, prompts: int) -> tuple[float, float]:
    """Give the ends of a 95 % interval from what a bootstrap over so many prompts drew.

    Of few prompts the percentiles lie further out than 2.5 and 97.5, or the interval would be too narrow: by Student's
    quantile and the bias of the variance (Hesterberg's expanded percentile interval: What Teachers Should Know About
    the Bootstrap, The American Statistician 69, 2015).
    """
    if prompts < 2:
        return float(values.min()), float(values.max())
    share = 100 * NormalDist().cdf(-_student(prompts - 1) * math.sqrt(prompts / (prompts - 1)))
    low, high = np.percentile(values, (share, 100 - share))
    return float(low), float(high)


def _student(freedom: int) -> float:
    """Give Student's 97.5 % quantile, by the expansion in Abramowitz and Stegun, 26.7.5; exact to 1 % from 4 on."""
    z, n = _TAIL, freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )


def paired(samples: Iterable[Sample]) -> list[Sample]:
    """Keep the answers to prompts that were answered soundly in every way of their setting, each time by itself."""
    ways: dict[Setting, set[Way]] = defaultdict(set)
    asked: dict[tuple[Setting, str, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        ways[sample.setting].add(sample.way)
        asked[sample.setting, sample.prompt.text, sample.turn].append(sample)
    return [
        sample
        for (setting, _, _), group in asked.items()
        if {each.way for each in group if each.fault is None} == ways[setting]
        for sample in group
    ]


def pools(samples: Iterable[Sample]) -> list[Pool]:
    """Pool what `paired` keeps: each language and task, then languages, tasks, and all, where they are of several."""
    cells: dict[tuple[Setting, str, str], list[Sample]] = defaultdict(list)
    for sample in paired(samples):
        cells[sample.setting, sample.prompt.language, sample.prompt.task].append(sample)
    narrow = list(cells.items())
    for wide in (_of_language, _of_task, _of_all):
        wider: dict[tuple[Setting, str, str], list[list[Sample]]] = defaultdict(list)
        for where, group in narrow:
            wider[wide(where)].append(group)
        for where, groups in wider.items():
            if where not in cells and len(groups) > 1:
                cells[where] = [sample for group in groups for sample in group]
    return [_pool(*where, cells[where]) for where in sorted(cells, key=_order)]


def _order(where: _Where) -> tuple[Setting, bool, str, bool, str]:
    """Sort by language and then by task, each followed by what is of all of them."""
    setting, language, task = where
    return setting, language == ANY, language, task == ANY, task


def _of_language(where: _Where) -> _Where:
    return where[0], where[1], ANY


def _of_task(where: _Where) -> _Where:
    return where[0], ANY, where[2]


def _of_all(where: _Where) -> _Where:
    return where[0], ANY, ANY


def _pool(setting: Setting, language: str, task: str, group: Sequence[Sample]) -> Pool:
    ways = tuple(sorted({sample.way for sample in group}, key=lambda way: (way.lane, way.draft_tokens or 0)))
    texts = {text: row for row, text in enumerate(dict.fromkeys(sample.prompt.text for sample in group))}
    tokens, seconds = np.zeros((len(texts), len(ways))), np.zeros((len(texts), len(ways)))
    for sample in group:
        place = texts[sample.prompt.text], ways.index(sample.way)
        tokens[place] += sample.tokens - 1
        seconds[place] += sample.seconds
    by_way = tuple(tuple(sample for sample in group if sample.way == way) for way in ways)
    return Pool(setting, language, task, ways, tokens, seconds, by_way)
