"""How much time may still be lost by trying lanes: earned by each cell's requests, spent by its tries."""

from serve.routing.cell import Cell
from serve.routing.thompson import DEAREST

_FIRST = 0.3
"""Requests' time that a cell begins with: little, since most of what a lane does in it is known from other cells."""
_COMMON = 6.0
"""What all cells have together, to learn what the lanes are like at all."""
_RENEWED = 2.0
"""What they have at least after a lane has changed."""


class Budget:
    """Allowances in requests' time; each request earns its cell `share` of one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._common = _COMMON
        self._left: dict[Cell, float] = {}

    def earn(self, cell: Cell) -> float:
        """Count a request; gives what may be lost on it. Nothing is ever tried where the share is 0."""
        if self._share <= 0:
            return 0.0
        left = self._left[cell] = min(DEAREST, self._left.get(cell, _FIRST) + self._share)
        return left + self._common

    def spend(self, cell: Cell, cost: float) -> None:
        """Count a try: out of what cells have in common, as long as there is any of it."""
        common = min(cost, self._common)
        self._common -= common
        self._left[cell] = self._left.get(cell, _FIRST) - (cost - common)

    def renew(self) -> None:
        """Let more be tried: a lane has changed."""
        self._common = max(self._common, _RENEWED)
