"""Which trace a call belongs to (W3C Trace Context, OpenTelemetry's API alone).

A client says it in the `_meta` of a message, which the SDK reads, or in HTTP headers, which are read
here. It needs no tracing on this side: the id goes on record with the call. Where nobody says one
and nothing traces, there is none.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_HEADERS = ("traceparent", "tracestate")
_W3C = TraceContextTextMapPropagator()


def trace_id() -> str | None:
    """The trace that the present call belongs to, in 32 hexadecimal digits."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else None


@contextmanager
def within_trace_of(scope: MutableMapping[str, Any]) -> Iterator[None]:
    """What happens inside belongs to the trace that a request names in its headers, if it does."""
    said = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope.get("headers", ())
        if name.decode("latin-1") in _HEADERS
    }
    if "traceparent" not in said:
        yield
        return
    token = context.attach(_W3C.extract(said))
    try:
        yield
    finally:
        context.detach(token)
