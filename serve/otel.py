"""Traces by OpenTelemetry, if POLYDRAFT_TRACES_ENDPOINT is set and the extra `polydraft[otel]` is installed.

A request is one span below the client's own, the engine's hang below it, and the decision is among its attributes,
under the names of the access log. No prompt, answer or key is ever one. Spans leave in batches, from a thread of their
own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from serve import __version__
from serve.errors import ConfigError
from serve.routing.lane import engine_name
from serve.routing.outcome import Asked, Outcome
from serve.tracing import Trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

_PATIENCE = 5
"""Seconds that a collector may take for a batch, tries again included: what a stop of the router may wait for."""

Attributes = dict[str, str | bool | int | float | list[str]]


class Traces:
    """Begins a span for each request; takes what `exported` or a test made."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("polydraft", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER

    def begin(self, asked: Asked, headers: Mapping[str, str]) -> Trace:
        """Begin a request's span, below the one that its `traceparent` names."""
        from opentelemetry.trace import set_span_in_context

        context = self._propagator.extract(headers)
        span = self._tracer.start_span(f"polydraft {asked}", context=context, kind=self._kind)
        handed_on: dict[str, str] = {}
        self._propagator.inject(handed_on, set_span_in_context(span, context))
        return _Traced(span, handed_on)

    def close(self) -> None:
        """Send what is left; blocks, for as long as the exporter does."""
        self._provider.shutdown()


def exported(endpoint: str) -> Traces:
    """Make traces that go to an OTLP/HTTP endpoint; raises ConfigError if the extra isn't installed."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigError(
            "POLYDRAFT_TRACES_ENDPOINT needs OpenTelemetry: install polydraft[otel], or unset it."
        ) from None
    provider = _provider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=_PATIENCE)))
    return Traces(provider)


def recorded(exporter: "SpanExporter") -> Traces:
    """Make traces that go to an exporter one by one, as they end."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = _provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Traces(provider)


def _provider() -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    return TracerProvider(resource=Resource.create({"service.name": "polydraft", "service.version": __version__}))


class _Traced:
    """One request's span."""

    __slots__ = ("_span", "headers")

    def __init__(self, span: "Span", headers: Mapping[str, str]) -> None:
        self._span = span
        self.headers = headers

    def finish(self, outcome: Outcome) -> None:
        """Say what became of the request, and end its span."""
        from opentelemetry.trace import StatusCode

        self._span.set_attributes(_attributes(outcome))
        if outcome.end == "failed" or outcome.status >= 500:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def _attributes(outcome: Outcome) -> Attributes:
    """Give what is known, under OpenTelemetry's own names where it has one."""
    cell, decision, acceptance = outcome.cell, outcome.decision, outcome.acceptance
    found: dict[str, str | bool | int | float | list[str] | None] = {
        "http.response.status_code": outcome.status or None,
        "gen_ai.usage.input_tokens": outcome.prompt_tokens,
        "gen_ai.usage.output_tokens": outcome.completion_tokens,
        "polydraft.request_id": outcome.request_id,
        "polydraft.endpoint": outcome.endpoint,
        "polydraft.streamed": outcome.streamed,
        "polydraft.end": outcome.end,
        "polydraft.engine": outcome.engine and engine_name(outcome.engine),
        "polydraft.time_to_first_token_s": outcome.time_to_first_token,
        "polydraft.decode_rate": outcome.decode_rate,
    }
    if cell:
        found |= {
            "polydraft.language": cell.language,
            "polydraft.task": cell.task,
            "polydraft.thinking": cell.thinking,
        }
    if decision:
        found |= {
            "polydraft.lane": decision.lane,
            "polydraft.reason": decision.reason,
            "polydraft.candidates": [candidate.lane for candidate in decision.candidates],
        }
    if acceptance:
        found |= {
            "polydraft.num_spec_steps": acceptance.num_spec_steps,
            "polydraft.num_draft_tokens": acceptance.num_draft_tokens,
            "polydraft.num_accepted_draft_tokens": acceptance.num_accepted_draft_tokens,
            "polydraft.acceptance_length": acceptance.acceptance_length,
        }
    return {name: value for name, value in found.items() if value is not None}
