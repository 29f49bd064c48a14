"""A tool call over HTTP is an MLflow trace, which its audit event names; what was said is in neither."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

from databits import tracking
from databits.platforms.embedded import Embedded
from databits.settings import Settings
from databits.store.tables import audit
from tests.conftest import Desk, MakeDesk
from ui.traced import traced

SECRET = "Mrs Miller's parcel, password hunter2"
GIVEN = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def store(workbench: Embedded) -> Any:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    tracking.start(workbench.settings)
    place = workbench.settings.artifacts.resolve().as_uri()
    return SqlAlchemyStore(workbench.settings.tracking_uri, place)  # type: ignore[no-untyped-call]


@contextmanager
def served(home: Path, share: float) -> Iterator[str]:
    """`databits up` in a process of its own; the URL of its `/mcp`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", "from ui.cli import main; main(['up'])"],
        env={
            **os.environ,
            "DATABITS_HOME": str(home),
            "DATABITS_USER": "ana",
            "DATABITS_PORT": str(port),
            "DATABITS_TRACE_CALLS": str(share),
        },
        cwd=home,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert "Databits Workbench is at" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
        process.stdout.close()


def spans_of(store: Any, trace_id: str) -> dict[str, dict[str, Any]]:
    [found] = store.batch_get_traces([f"tr-{trace_id}"])
    return {span.name: dict(span.attributes) for span in found.data.spans}


async def until_traced(client: Client) -> None:
    """Call until a call is traced: the server begins with it behind its start."""
    with anyio.fail_after(240):
        while True:
            await client.call_tool("skip_items", {"databit": "support", "items": [3]})
            found = await client.call_tool("search_audit", {"operation": "skip_items", "limit": 1})
            assert found.structured_content is not None
            if found.structured_content["rows"][0]["trace_id"]:
                return
            await anyio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_call_over_http_is_a_trace_that_its_audit_event_names(
    queued: Desk, store: Any, open_desk: MakeDesk
) -> None:
    home = queued.workbench.settings.home
    queued.workbench.database.close()
    label = {"databit": "support", "items": [1], "label": "billing", "reason": SECRET}
    with served(home, 100) as url:
        async with Client(url) as client:
            await until_traced(client)
            await client.call_tool("correct_labels", label)
            given = {"traceparent": f"00-{GIVEN}-00f067aa0ba902b7-01"}
            await client.call_tool("correct_labels", label | {"items": [2]}, meta=given)
            assert (await client.call_tool("correct_labels", label | {"label": SECRET})).is_error
            assert (await client.call_tool(SECRET, {})).is_error
    rows = open_desk(home).rows(audit)
    made = [row["trace_id"] for row in rows if row["operation"] == "correct_labels"]
    assert made[1] == GIVEN
    assert None not in made
    for trace_id, outcome in zip(made, ("ok", "ok", "Invalid"), strict=True):
        spans = spans_of(store, trace_id)
        assert set(spans) == {"tools/call correct_labels", "correct_labels"}
        assert spans["correct_labels"]["databits.operation"] == "correct_labels"
        assert spans["correct_labels"]["databits.databit"] == "support"
        assert spans["correct_labels"]["databits.outcome"] == outcome
    assert b"hunter2" not in (home / "mlflow.db").read_bytes(), "nothing of what was said is kept"


OFF = """
import asyncio, sys
from databits.settings import Settings
from ui.traced import traced

async def serve():
    async with traced(Settings(trace_calls=0)):
        await asyncio.sleep(0.2)

asyncio.run(serve())
print("opentelemetry.sdk" in sys.modules)
"""


def test_with_the_setting_off_nothing_is_even_loaded() -> None:
    ran = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.anyio
async def test_traces_begin_when_nothing_else_is_being_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two threads that loaded MLflow at once stopped each other, and the assistant with them."""
    steps: list[str] = []

    def start(settings: Settings) -> Callable[[], None]:
        steps.append("begun")
        return lambda: steps.append("ended")

    monkeypatch.setattr("ui.traced._start", start)
    loaded = asyncio.Event()
    with anyio.fail_after(120):
        async with traced(Settings(trace_calls=5), loaded.wait):
            await asyncio.sleep(0.05)
        assert steps == [], "it ended before anything was loaded, and waited for nothing"
        async with traced(Settings(trace_calls=5), loaded.wait):
            await asyncio.sleep(0.05)
            assert steps == []
            loaded.set()
            while not steps:
                await asyncio.sleep(0.01)
        assert steps == ["begun", "ended"]


def parent(**options: Any) -> Any:
    around = SpanContext(int(GIVEN, 16), 7, **options)
    return set_span_in_context(NonRecordingSpan(around))


def test_what_is_sampled_is_calls_of_tools_and_so_many_a_second() -> None:
    from databits.traces import _Chosen

    now = 0.0
    chosen = _Chosen(lambda: now)

    def decided(name: str, context: Any = None, kind: SpanKind = SpanKind.SERVER) -> Decision:
        return chosen.should_sample(context, 1, name, kind).decision

    call, theirs = "tools/call list_items", parent(is_remote=True, trace_flags=TraceFlags(1))
    assert decided(call) is Decision.DROP, "off"
    chosen.rate = 1.0
    now = 100.0
    kept = [decided(call), decided(call, theirs)]
    assert kept == [Decision.RECORD_AND_SAMPLE] * 2
    assert decided(call) is Decision.DROP, "a flood costs no more than two at once"
    assert decided(call, theirs) is Decision.RECORD_ONLY, "its id goes on record"
    now = 101.0
    web = parent(is_remote=False)
    assert decided("POST") is Decision.DROP
    assert decided(call, web) is Decision.RECORD_AND_SAMPLE, "a span of the web framework is around"
    now = 102.0
    assert decided("tools/list") is Decision.DROP
    assert decided(call, kind=SpanKind.CLIENT) is Decision.DROP, "the agent's own client"
    assert decided("list_items", parent(is_remote=False)) is Decision.DROP
    inside = parent(is_remote=False, trace_flags=TraceFlags(1))
    assert decided("list_items", inside) is Decision.RECORD_AND_SAMPLE
    assert decided(call) is Decision.RECORD_AND_SAMPLE, "none of these took its place"


def test_a_store_of_traces_that_is_away_is_said_once_until_it_is_back(
    workbench: Embedded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from databits.traces import CALL, ToMlflow

    context = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(1))
    span = ReadableSpan(CALL, context, attributes={"mcp.method.name": CALL})
    away, written = [1, 2, 3], list[Any]()

    def write(spans: list[Any]) -> None:
        if away:
            raise OSError(away.pop())
        written.extend(spans)

    monkeypatch.setattr("databits.traces._writer", lambda _: write)
    kept = ToMlflow(workbench.settings)
    for _ in range(4):
        kept.export([span])
    assert (len(written), len(caplog.records)) == (1, 1)
    away.append(4)
    kept.export([span])
    assert len(caplog.records) == 2
