"""How much time may still be lost by trying lanes: earned by requests, spent by tries.

Half of it is each cell's own, half is what all cells have together: with the first a small cell learns too, with the
second whichever cell comes by tries a lane that hasn't been tried for long.
"""

from collections import Counter

from serve.routing.cell import Cell
from serve.routing.thompson import DEAREST

_COMMON = 5.0
"""Requests' time that all cells have together at first, to learn what the lanes are like at all, and at most."""
_OF_LANGUAGE, _OF_ALL = 0.25, 0.05
"""What a lesson teaches for a request of another cell of its language, and of any, as part of what for its own."""
_ALL = "*"
_RENEWED = 2.0
"""What they have at least after a lane has changed."""


class Budget:
    """Allowances in requests' time; each request earns `share` of one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._common = _COMMON
        self._left: dict[Cell, float] = {}
        self._asked: Counter[Cell | str] = Counter()

    def earn(self, cell: Cell) -> float:
        """Count a request; gives what may be lost on it. Nothing is ever tried where the share is 0."""
        self._asked.update((cell, cell.language, _ALL))
        if self._share <= 0:
            return 0.0
        left = self._left[cell] = min(DEAREST, self._left.get(cell, 0.0) + self._share / 2)
        self._common = min(_COMMON, self._common + self._share / 2)
        return left + self._common

    def alike(self, cell: Cell) -> float:
        """Say for how many requests so far a lesson in a cell would have been one: its own, and parts of others."""
        asked = self._asked
        return asked[cell] + _OF_LANGUAGE * asked[cell.language] + _OF_ALL * asked[_ALL]

    @property
    def common(self) -> float:
        """What all cells have together."""
        return self._common

    def spend(self, cell: Cell, cost: float) -> None:
        """Count a try: out of what cells have in common, as long as there is any of it."""
        common = min(cost, self._common)
        self._common -= common
        self._left[cell] = self._left.get(cell, 0.0) - (cost - common)

    def renew(self) -> None:
        """Let more be tried: a lane has changed."""
        self._common = max(self._common, _RENEWED)
