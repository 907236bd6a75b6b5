"""Draws the two plots that a measurement needs, bars and lines with intervals, as SVG. Knows nothing of lanes.

Colours come from the page's style (classes s0, s1, ...), so that a plot is legible in the light and in the dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 760, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 34, 44
_TICKS = 5
_STEPS = (1, 2, 2.5, 5, 10)
_MANY = 14  # categories, from which on their names stand aslant

Point = tuple[float, float, float]
"""A value and the ends of its interval; all the same where there is none."""


@dataclass(frozen=True, slots=True)
class Series:
    """A name and its points, one a category, None where there is nothing to show; and the number of its colour."""

    name: str
    points: tuple[Point | None, ...]
    colour: int


@dataclass(frozen=True, slots=True)
class Plot:
    """What is shown: a title, the categories from left to right, the series, and what is counted."""

    title: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str


def bars(plot: Plot) -> str:
    """Draw a group of bars for each category, with their intervals as whiskers."""
    scale = _Scale(plot)
    wide = scale.band * 0.8 / max(1, len(plot.series))
    drawn = []
    for number, series in enumerate(plot.series):
        for index, point in enumerate(series.points):
            if point:
                x = scale.x(index) - scale.band * 0.4 + wide * number
                top = scale.y(point[0])
                drawn.append(
                    f'<rect class="s{series.colour}" x="{x:.1f}" y="{top:.1f}" width="{max(1.0, wide - 1):.1f}" '
                    f'height="{max(0.0, scale.floor - top):.1f}">{_told(plot, series, index, point)}</rect>'
                )
                drawn.append(_whisker(scale, x + (wide - 1) / 2, point))
    return _drawing(plot, scale, drawn)


def lines(plot: Plot) -> str:
    """Draw a line a series, with a dot and the interval's whisker at each point."""
    scale, drawn = _Scale(plot), []
    for number, series in enumerate(plot.series):
        shift = (number - (len(plot.series) - 1) / 2) * 5  # so that whiskers stand beside each other
        known = [(scale.x(index) + shift, point, index) for index, point in enumerate(series.points) if point]
        path = " ".join(f"{x:.1f},{scale.y(point[0]):.1f}" for x, point, _ in known)
        drawn.append(f'<polyline class="l{series.colour}" points="{path}"/>')
        for x, point, index in known:
            drawn.append(_whisker(scale, x, point))
            told, y = _told(plot, series, index, point), scale.y(point[0])
            drawn.append(f'<circle class="s{series.colour}" cx="{x:.1f}" cy="{y:.1f}" r="4">{told}</circle>')
    return _drawing(plot, scale, drawn)


class _Scale:
    """Where a value and a category lie in the drawing."""

    def __init__(self, plot: Plot) -> None:
        highest = max((point[2] for series in plot.series for point in series.points if point), default=1.0)
        self.step = _nice((highest or 1.0) / _TICKS)
        self.top = self.step * max(1, math.ceil((highest or 1.0) / self.step))
        self.floor = float(_HEIGHT - _BOTTOM)
        self.band = (_WIDTH - _LEFT - _RIGHT) / max(1, len(plot.categories))

    def x(self, index: int) -> float:
        return _LEFT + self.band * (index + 0.5)

    def y(self, value: float) -> float:
        return self.floor - (self.floor - _TOP) * min(1.0, value / self.top)


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(each * power for each in _STEPS if each * power >= step * 0.999)


def _drawing(plot: Plot, scale: _Scale, drawn: Sequence[str]) -> str:
    grid = []
    for number in range(round(scale.top / scale.step) + 1):
        value = number * scale.step
        y = scale.y(value)
        grid.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        grid.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    parts = [*grid, *drawn, *_names(plot, scale), *_legend(plot)]
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(plot.title)}, {escape(plot.unit)}">'
    return head + "".join(parts) + "</svg>"


def _names(plot: Plot, scale: _Scale) -> list[str]:
    y, aslant = scale.floor + 16, len(plot.categories) > _MANY
    drawn = []
    for index, name in enumerate(plot.categories):
        x = f"{scale.x(index):.1f}"
        turned = f'text-anchor="end" transform="rotate(-35 {x} {y:.1f})"' if aslant else 'text-anchor="middle"'
        drawn.append(f'<text x="{x}" y="{y:.1f}" {turned}>{escape(name)}</text>')
    return drawn


def _legend(plot: Plot) -> list[str]:
    parts, x = [f'<text x="{_LEFT}" y="14">{escape(plot.unit)}</text>'], float(_LEFT + 8 * len(plot.unit) + 24)
    for series in plot.series:
        parts.append(f'<rect class="s{series.colour}" x="{x:.0f}" y="5" width="10" height="10"/>')
        parts.append(f'<text x="{x + 14:.0f}" y="14">{escape(series.name)}</text>')
        x += 8 * len(series.name) + 34
    return parts


def _whisker(scale: _Scale, x: float, point: Point) -> str:
    _, low, high = point
    if high <= low:
        return ""
    return f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(low):.1f}" y2="{scale.y(high):.1f}"/>'


def _told(plot: Plot, series: Series, index: int, point: Point) -> str:
    value, low, high = point
    told = f"{plot.categories[index]}, {series.name}: {value:.3g}" + (
        f" ({low:.3g} to {high:.3g})" if high > low else ""
    )
    return f"<title>{escape(told)}</title>"
