"""Writes log lines from a thread of its own: whoever reads standard output may be slow, and no stream may wait for it.

Lines are written some times a second, together. What doesn't fit into the queue while nobody reads is dropped and
counted: memory is bounded, and the count is a line itself.
"""

import json
import logging
import os
import queue
import threading
import time

_TOGETHER = 0.05
"""Seconds that the first line waits for others: at most 20 writes a second, and a line is never later than that."""
_MOST = 65_536
"""Lines that may wait, some 30 MB: a minute of a thousand requests a second."""
_LAST_WORDS = 2.0
"""Seconds that the end of the process waits for a reader."""


class LogWriter(logging.Handler):
    """Takes records from any thread, and writes their messages to a file descriptor, a line each, in their order."""

    def __init__(self, descriptor: int, most: int = _MOST) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._most = most
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line; never waits."""
        if self._lines.qsize() < self._most:
            self._lines.put(record.getMessage())
        else:
            self._dropped += 1

    def close(self) -> None:
        """Write what is queued, unless nobody reads it."""
        self._lines.put(None)
        self._thread.join(_LAST_WORDS)
        super().close()

    def _run(self) -> None:
        open_ = True
        while open_:
            lines = [self._lines.get()]
            time.sleep(_TOGETHER if lines[0] is not None else 0)
            while not self._lines.empty():
                lines.append(self._lines.get())
            open_ = None not in lines
            if dropped := self._dropped:
                self._dropped -= dropped
                lines.append(json.dumps({"dropped_lines": dropped}, separators=(",", ":")))
            try:
                self._write("".join([f"{line}\n" for line in lines if line is not None]).encode())
            except OSError:  # nobody will ever read it
                return

    def _write(self, raw: bytes) -> None:
        while raw:
            raw = raw[os.write(self._descriptor, raw) :]
