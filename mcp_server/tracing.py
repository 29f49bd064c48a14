"""Which trace a call belongs to (W3C Trace Context, OpenTelemetry's API alone).

A client says it in the `_meta` of a message, which the SDK reads, or in HTTP headers, which are read
here. It needs no tracing on this side: the id goes on record with the call. Where nobody says one
and nothing traces, there is none.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Protocol, Unpack

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import BaseModel

from databits.actor import Actor
from databits.errors import DatabitsError
from databits.model import NameKind, Names, Plan, Run
from databits.ports import Asked, Runner
from databits.types import NAME

_HEADERS = (b"traceparent", b"tracestate")
_tracer = trace.get_tracer("databits")
_W3C = TraceContextTextMapPropagator()


def trace_id() -> str | None:
    """The trace that the present call belongs to, in 32 hexadecimal digits."""
    span = trace.get_current_span()
    found = span.get_span_context()
    # A span that is not kept has an id too, which would lead nowhere.
    kept = found.is_remote or found.trace_flags.sampled or span.is_recording()
    return trace.format_trace_id(found.trace_id) if found.is_valid and kept else None


class Near(Protocol):
    """A workbench in this process."""

    @property
    def at_hand(self) -> bool: ...

    def look(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> BaseModel: ...


class Traced:
    """Operations with a span each: which, about what, and how it ended; never what was said."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def run(
        self, name: str, arguments: Mapping[str, Any], actor: Actor, **asked: Unpack[Asked]
    ) -> BaseModel:
        with _span(name, arguments) as span:
            done = self._runner.run(name, arguments, actor, **asked)
            if isinstance(done, Run):
                span.set_attribute("databits.run", done.id)
            return done

    def look(self, near: Near, name: str, arguments: Mapping[str, Any], actor: Actor) -> BaseModel:
        """A quick read, of the workbench itself."""
        with _span(name, arguments):
            return near.look(name, arguments, actor)

    def propose(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> Plan:
        with _span(name, arguments, "propose ") as span:
            plan = self._runner.propose(name, arguments, actor)
            span.set_attribute("databits.plan", plan.id)
            return plan

    def pulse(self) -> str:
        return self._runner.pulse()

    def names(self, kind: NameKind, typed: str, actor: Actor, of: str = "") -> Names:
        return self._runner.names(kind, typed, actor, of)


@contextmanager
def _span(name: str, arguments: Mapping[str, Any], what: str = "") -> Iterator[trace.Span]:
    around = trace.get_current_span()
    if not around.is_recording():  # nobody would keep it: nine calls of ten in a flood
        yield trace.INVALID_SPAN
        return
    attributes = {"databits.operation": name}
    databit = arguments.get("databit")
    if isinstance(databit, str) and re.fullmatch(NAME, databit):
        attributes["databits.databit"] = databit
    with _tracer.start_as_current_span(
        f"{what}{name}",
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            kind = error.phrase if isinstance(error, DatabitsError) else "crashed"
            span.set_attribute("databits.outcome", kind)
            span.set_status(trace.StatusCode.ERROR)
            raise
        span.set_attribute("databits.outcome", "ok")


@contextmanager
def within_trace_of(scope: MutableMapping[str, Any]) -> Iterator[None]:
    """What happens inside belongs to the trace that a request names in its headers, if it does."""
    said = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope.get("headers", ())
        if name in _HEADERS
    }
    if "traceparent" not in said:
        yield
        return
    token = context.attach(_W3C.extract(said))
    try:
        yield
    finally:
        context.detach(token)
