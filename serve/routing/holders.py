"""Which engine read each conversation last, and so holds its prefix: the newest conversations alone are remembered."""

from collections import OrderedDict

_CONVERSATIONS = 4096


class Holders:
    """The engine, by its base URL, that each conversation went to last."""

    def __init__(self) -> None:
        self._engines: OrderedDict[int, str] = OrderedDict()

    def of(self, conversation: int) -> str | None:
        """Give the engine that holds a conversation's prefix, if it is remembered."""
        return self._engines.get(conversation)

    def follow(self, conversation: int, engine: str) -> None:
        """Note that a conversation goes to an engine."""
        self._engines[conversation] = engine
        self._engines.move_to_end(conversation)
        if len(self._engines) > _CONVERSATIONS:
            self._engines.popitem(last=False)
