"""What is known of a request while it runs, and the Outcome that it becomes. Reads events; moves no byte."""

from dataclasses import dataclass

from serve.proxy import sse, vllm
from serve.proxy.dialect import Dialect
from serve.routing.lane import Lane
from serve.routing.outcome import End
from serve.routing.policy import Decision


@dataclass(slots=True)
class Progress:
    """What is known of a request so far; times are the wiring's clock's, `broken` counts engines that broke on it.

    `engine` is the base URL of the one that was tried last. `sent`: the client has some of a stream's content, which a
    mere ping isn't.
    """

    started: float
    lane: Lane
    decision: Decision
    engine: str | None = None
    status: int = 0
    end: End = "failed"
    error: End | None = None
    done: bool = False
    sent: bool = False
    broken: int = 0
    events: int = 0
    first: float | None = None
    last: float | None = None
    report: vllm.Report = vllm.UNREPORTED

    def output(self, events: int, now: float) -> None:
        """Note events that carry output and nothing else."""
        self.events += events
        self.last = now
        if self.first is None:
            self.first = now

    def read(self, event: bytes, dialect: Dialect, now: float) -> bool:
        """Note one event, whatever it is; tell whether it is there only because the router asked for it."""
        if dialect.is_count(event):
            self.report = vllm.report(vllm.decode(sse.data(event)))
            if dialect.is_extra(event):
                self.events += 1
                return True
        if dialect.is_end(event):
            self.events += 1
            self.done = True
        elif dialect.is_error(event):
            self.events += 1
            self.error = "failed" if self.first else "refused"
        else:
            self.output(1, now)
        return False

    def decode_rate(self) -> float | None:
        """Output tokens per second after the first.

        By our own clock where a stream took its time; by the engine's on whole answers and streams that came at once.
        """
        tokens = self.report.completion_tokens
        ours = self.last - self.first if self.first is not None and self.last is not None else 0
        spent = ours or self.report.generation_time
        return (tokens - 1) / spent if tokens and tokens > 1 and spent else None
