"""Spans of calls, kept as MLflow traces: in batches, behind the calls, and none of what was said.

OpenTelemetry's SDK and MLflow are loaded here, in the background: whoever serves does not wait for
them, and calls before that are not traced. What is kept of a span is its name, times, outcome and a
few attributes that this program sets; never arguments, texts, messages of errors or what a client
calls things.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, Status, TraceState
from opentelemetry.util.types import Attributes

from databits.operation import CATALOGUE
from databits.settings import Settings

log = logging.getLogger("databits")
CALL = "tools/call"
KEPT = frozenset({"mcp.method.name", "mcp.protocol.version", "error.type", "gen_ai.operation.name"})
OURS = "databits."
QUEUE, BATCH, EVERY_MS = 2_048, 256, 2_000


class _Chosen(Sampler):
    """Calls of tools, so many a second, and what is inside of them.

    Writing a call's spans costs MLflow 4 to 5 ms of processor time, three times the call itself:
    nothing at the pace of people, too much in a flood.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = 0.0
        self._clock = clock
        self._left, self._before = 0.0, clock()

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = trace.get_current_span(parent_context)
        around = parent.get_span_context()
        inside = around.is_valid and not around.is_remote and around.trace_flags.sampled
        # A web framework may have a span around the call's, which nobody asked for.
        called = kind is SpanKind.SERVER and name.startswith(CALL)
        if inside or (called and self._take()):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        # Of a trace that the client keeps, the id goes on record all the same.
        theirs = parent.is_recording() or (around.is_remote and around.trace_flags.sampled)
        return SamplingResult(Decision.RECORD_ONLY if theirs else Decision.DROP, attributes)

    def _take(self) -> bool:
        """Whether there is room for one more; twice a second's may come at once."""
        moment = self._clock()
        room = self._left + (moment - self._before) * self.rate
        self._left, self._before = min(room, max(1.0, 2 * self.rate)), moment
        if not self.rate or self._left < 1:
            return False
        self._left -= 1
        return True

    def get_description(self) -> str:
        return "calls of tools"


_chosen = _Chosen()


def start(settings: Settings) -> Callable[[], None]:
    """Keep the spans of calls from now on; returns what ends that and writes what is left."""
    provider = trace.get_tracer_provider()
    if not isinstance(
        provider, TracerProvider
    ):  # else this process is traced already, by others too
        provider = TracerProvider(_chosen, Resource.get_empty(), shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    batches = BatchSpanProcessor(
        ToMlflow(settings),
        max_queue_size=QUEUE,
        schedule_delay_millis=EVERY_MS,
        max_export_batch_size=BATCH,
    )
    provider.add_span_processor(batches)
    _chosen.rate = settings.trace_calls

    def end() -> None:
        _chosen.rate = 0.0
        batches.force_flush(5_000)
        batches.shutdown()  # type: ignore[no-untyped-call]

    return end


class ToMlflow(SpanExporter):
    """Writes batches of spans into the workspace's MLflow database, a transaction each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._write: Callable[[list[ReadableSpan]], None] | None = None
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        kept = [made for span in spans if (made := _kept(span)) is not None]
        if not kept:
            return SpanExportResult.SUCCESS
        try:
            if self._write is None:
                self._write = _writer(self._settings)
            self._write(kept)
        except Exception:  # losing traces must not cost anything else
            if not self._failing:  # there may be thousands of batches until it can be reached again
                log.warning("traces are lost: MLflow can not be written to", exc_info=True)
            self._failing = True
            return SpanExportResult.FAILURE
        self._failing = False
        return SpanExportResult.SUCCESS


def _writer(settings: Settings) -> Callable[[list[ReadableSpan]], None]:
    from mlflow.entities import Span  # seconds of imports: with the first batch, in its thread
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    from databits import tracking

    tracking.start(settings)
    place = settings.artifacts.resolve().as_uri()
    store: Any = SqlAlchemyStore(settings.tracking_uri, place)  # type: ignore[no-untyped-call]
    experiment = store.get_experiment_by_name(tracking.EXPERIMENT).experiment_id

    def write(spans: list[ReadableSpan]) -> None:
        store.log_spans(experiment, [Span(span) for span in spans])

    return write


def _kept(span: ReadableSpan) -> ReadableSpan | None:
    """What is kept of a span; None for one that is no call nor in one."""
    said = dict(span.attributes or {})
    tool = said.get("gen_ai.tool.name")
    ours = {key: value for key, value in said.items() if key.startswith(OURS)}
    if not ours and said.get("mcp.method.name") != CALL:
        return None
    name = span.name if ours else f"{CALL} {tool}" if tool in CATALOGUE else CALL
    context = span.get_span_context()
    assert context is not None
    # MLflow has no root for a trace whose root is a client's, or not kept: the call is the root here.
    parent = span.parent if ours else None
    attributes = {key: value for key, value in said.items() if key in KEPT} | ours
    attributes["mlflow.traceRequestId"] = f"tr-{trace.format_trace_id(context.trace_id)}"
    attributes["mlflow.spanType"] = "CHAIN" if ours else "TOOL"
    return ReadableSpan(
        name=name,
        context=context,
        parent=parent,
        attributes={key: json.dumps(value) for key, value in attributes.items()},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        resource=Resource.get_empty(),
    )
