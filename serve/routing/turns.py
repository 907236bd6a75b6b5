"""Remembers in which conversations answers came in another language than the router had taken them to.

The next turn's classification is corrected where it says again what was wrong before; where it says something new, the
user has said something new.
"""

from collections import OrderedDict

from serve.routing.cell import Cell
from serve.routing.language import UNDETERMINED

_MOST = 4096  # conversations


class Turns:
    """What was expected and what came, by conversation; the oldest is forgotten first."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[int, tuple[str, str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._wrong)

    def heard(self, conversation: int, expected: str, answered: str) -> None:
        """Note the language of an answer, beside the one that it was expected in."""
        if answered == UNDETERMINED:
            return
        if _base(answered) == _base(expected):
            if self._wrong.get(conversation, ("", ""))[1] != expected:  # else it was right because it was corrected
                self._wrong.pop(conversation, None)
            return
        first = self._wrong.get(conversation)
        self._note(conversation, (first[0] if first and first[1] == expected else expected, answered))

    def followed(self, conversation: int, later: int) -> None:
        """Give a conversation a further name, by which its next turn goes on."""
        if wrong := self._wrong.get(conversation):
            self._note(later, wrong)

    def _note(self, conversation: int, wrong: tuple[str, str]) -> None:
        self._wrong[conversation] = wrong
        self._wrong.move_to_end(conversation)
        if len(self._wrong) > _MOST:
            self._wrong.popitem(last=False)

    def corrected(self, conversation: int, cell: Cell) -> Cell:
        """Give the cell of a conversation's next turn as its answers so far let expect it."""
        wrong = self._wrong.get(conversation)
        return cell._replace(language=wrong[1]) if wrong and wrong[0] == cell.language else cell


def _base(language: str) -> str:
    return language.partition("-")[0]
