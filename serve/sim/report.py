"""Says what a router did before a simulated box, held against what was true of that box."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from serve.routing.lane import Lane
from serve.sim.box import Box
from serve.sim.work import Work

LIMITS = """\
What this is worth: the engines are made of figures that strangers published, each of one box, and of arithmetic on
them (serve/sim/figures, with sources); nothing was measured on such a box by this project. Language and task are taken
to add up, languages that nobody measured to be like the least lucky one that was, steps of all lanes to slow down alike
under load, a draft length that nobody measured to take its part of what drafting adds to a step. Answers have no sense
and no end of their own, prefixes aren't cached, no engine ever fails, and what an answer's language and task are is
asked of the router's own classification. It shows what the router would do if all that were so, not how fast your box
will be."""


def report(works: Sequence[Work], box: Box, lanes: Sequence[Lane]) -> str:
    """Write a table of the later half by language and task, and the rates of the whole against fixed lanes.

    Rates are expected ones, in each request's own batch: what luck added to single answers is left out.
    """
    if not works:
        return "no answer was complete"
    later = works[len(works) // 2 :]
    cells: dict[tuple[str, str], list[Work]] = defaultdict(list)
    for work in later:
        cells[work.cell.language, work.cell.task].append(work)
    head = "| answer | requests | taken | " + " | ".join(f"`{lane.name}`" for lane in lanes) + " |"
    lines = [head, "| --- | --- | --- |" + " --- |" * len(lanes)]
    lines += [_row(name, cells[name], box, lanes) for name in sorted(cells)]
    return "\n".join([*lines, "", *_totals(works, later, box, lanes)])


def _row(name: tuple[str, str], works: Sequence[Work], box: Box, lanes: Sequence[Lane]) -> str:
    taken = Counter(work.lane.name for work in works)
    shares = ", ".join(f"{lane} {number / len(works):.0%}" for lane, number in taken.most_common())
    rates = {lane.name: box.rate(lane, works[0].cell) for lane in lanes}
    best = max(rates, key=lambda lane: rates[lane])
    texts = (f"**{rate:.0f}**" if lane == best else f"{rate:.0f}" for lane, rate in rates.items())
    return f"| {name[0]}, {name[1]} | {len(works)} | {shares} | " + " | ".join(texts) + " |"


def _totals(works: Sequence[Work], later: Sequence[Work], box: Box, lanes: Sequence[Lane]) -> list[str]:
    lines = []
    for name, part in (("all", works), ("the later half", later)):
        spent = [seconds(work, box, lanes) for work in part]
        tokens = sum(work.tokens for work in part)
        reached = sum(each[work.lane.name] for each, work in zip(spent, part, strict=True))
        oracle = sum(min(each.values()) for each in spent)
        fixed = ", ".join(f"{lane.name} alone {tokens / sum(each[lane.name] for each in spent):.1f}" for lane in lanes)
        lines.append(
            f"{name}: {len(part)} requests at {tokens / reached:.1f} tok/s, {oracle / reached:.3f} of the oracle's "
            f"{tokens / oracle:.1f}; {fixed}"
        )
    return lines


def seconds(work: Work, box: Box, lanes: Sequence[Lane]) -> Mapping[str, float]:
    """Give the seconds that an answer takes on each lane in expectation, in the batch that it had."""
    batch = max(1, round(work.batch))
    return {lane.name: work.tokens / box.rate(lane, work.cell, batch) for lane in lanes}
