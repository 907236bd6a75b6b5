"""Says which lane won where, and how sure that is: every lane got the same prompts, so prompts are redrawn.

Not answers: what a lane does with a prompt in one round it does in the next, so that rounds are no further evidence.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from serve.bench.measure import Sample
from serve.bench.report import counted
from serve.routing.policy import ANY

_DRAWS = 1000
_FEWEST = 5  # prompts, below which a bootstrap is surer than it should be
_TAIL = 0.025  # of the draws beyond either end of a 95 % interval


@dataclass(frozen=True, slots=True)
class Rivalry:
    """The fastest lane of a language and task, the next one, and by how many times it is faster, with its interval."""

    language: str
    task: str
    first: str
    second: str
    gain: float
    low: float
    high: float
    prompts: int

    @property
    def decided(self) -> bool:
        """Whether the first has won: there are enough prompts, and another draw would hardly turn it round."""
        return self.prompts >= _FEWEST and self.low > 1


def rivalries(samples: Sequence[Sample], rng: random.Random) -> list[Rivalry]:
    """Hold the two fastest lanes of every language and task against each other; none where there is one alone.

    Then those of every language over its tasks, and of every task over its languages, where there are several: a
    bench with a prompt for each of them has too few to say more.
    """
    cells: dict[tuple[str, str], dict[tuple[str, int], dict[str, _Sums]]] = defaultdict(lambda: defaultdict(dict))
    wider: dict[tuple[str, str], dict[tuple[str, int], dict[str, _Sums]]] = defaultdict(lambda: defaultdict(dict))
    asked_before: Counter[tuple[str, str]] = Counter()
    for sample in counted(samples):
        prompt = sample.prompt
        asked = prompt.text, asked_before[sample.lane, prompt.text]
        asked_before[sample.lane, prompt.text] += 1
        spent = sample.tokens - 1, sample.seconds
        cells[prompt.language, prompt.task][asked][sample.lane] = spent
        for where in ((prompt.language, ANY), (ANY, prompt.task)):
            wider[where][asked][sample.lane] = spent
    several = {where: asked for where, asked in wider.items() if _parts(where, cells) > 1 and where not in cells}
    return [
        found
        for (language, task), asked_of in (cells | several).items()
        if (found := _rivalry(language, task, asked_of, rng))
    ]


def _parts(where: tuple[str, str], cells: Collection[tuple[str, str]]) -> int:
    return sum(language == where[0] or task == where[1] for language, task in cells)


_Sums = tuple[int, float]


def _rivalry(
    language: str, task: str, asked: Mapping[tuple[str, int], dict[str, _Sums]], rng: random.Random
) -> Rivalry | None:
    """Compare over the prompts that every lane has answered, so that none is judged by easier ones."""
    lanes = sorted(set.union(*(set(sums) for sums in asked.values())))
    rounds: dict[str, list[dict[str, _Sums]]] = defaultdict(list)
    for (prompt, _), sums in asked.items():
        if len(sums) == len(lanes):
            rounds[prompt].append(sums)
    paired = [{lane: _summed(each, lane) for lane in lanes} for each in rounds.values()]
    if len(lanes) < 2 or not paired:
        return None
    first, second = sorted(lanes, key=lambda lane: -_rate(paired, lane))[:2]
    drawn = sorted(_gain([rng.choice(paired) for _ in paired], first, second) for _ in range(_DRAWS))
    low, high = drawn[int(_TAIL * _DRAWS)], drawn[int((1 - _TAIL) * (_DRAWS - 1))]
    return Rivalry(language, task, first, second, _gain(paired, first, second), low, high, len(paired))


def _gain(paired: Sequence[dict[str, _Sums]], first: str, second: str) -> float:
    return _rate(paired, first) / _rate(paired, second)


def _summed(rounds: Sequence[dict[str, _Sums]], lane: str) -> _Sums:
    return sum(sums[lane][0] for sums in rounds), sum(sums[lane][1] for sums in rounds)


def _rate(paired: Sequence[dict[str, _Sums]], lane: str) -> float:
    return sum(sums[lane][0] for sums in paired) / sum(sums[lane][1] for sums in paired)


def text(found: Sequence[Rivalry]) -> str:
    """Write a line each."""
    return "\n".join(_line(each) for each in found)


def _line(each: Rivalry) -> str:
    language = "any language" if each.language == ANY else each.language
    where = language if each.task == ANY else f"{language}, {each.task}"
    figures = f"{each.gain:.2f} ({each.low:.2f} to {each.high:.2f}) times {each.second}'s rate"
    if each.decided:
        return f"{where}: {each.first} wins, {figures}"
    why = "" if each.prompts >= _FEWEST else f"; too few prompts ({each.prompts} of {_FEWEST})"
    return f"{where}: no winner; {each.first} has {figures}{why}"
