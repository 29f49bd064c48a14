"""A call is on record with the trace it belongs to, wherever the client says it."""

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agent.client import ToolClient
from databits.actor import Actor
from databits.change import actor_of, actor_row
from databits.platforms.embedded.jobs import work
from databits.workbench import Workbench
from mcp_server.auth import identify_local, local_actor
from mcp_server.server import build_server
from mcp_server.tracing import within_trace_of
from tests.mcp_server.conftest import Connect, Grow
from tests.mcp_server.test_http import HOME, served

pytestmark = pytest.mark.anyio
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHER = "0af7651916cd43dd8448eb211c80319c"
BILL = {"databit": "support", "items": [1], "label": "billing"}


def parent(trace: str) -> str:
    return f"00-{trace}-00f067aa0ba902b7-01"


def traces(workbench: Workbench, operation: str) -> list[str | None]:
    events = workbench.database.read(lambda store: list(store.audit.events()))
    return [event.trace_id for event in events if event.operation == operation]


async def test_the_trace_in_a_messages_meta_is_on_record(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    async with connect(era) as client:
        await client.call_tool("correct_labels", BILL, meta={"traceparent": parent(TRACE)})
        await client.call_tool("correct_labels", BILL | {"label": "bug"})
    assert traces(workbench, "correct_labels") == [TRACE, None]


async def test_the_trace_in_http_headers_is_on_record_and_meta_goes_before_it(
    workbench: Workbench, grow: Grow, era: str
) -> None:
    grow(2)
    async with served(workbench) as http:
        http.headers["traceparent"] = parent(TRACE)
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        async with Client(transport, mode=era) as client:
            await client.call_tool("correct_labels", BILL)
            # A session outlives the request that opened it; its calls have their own headers.
            http.headers["traceparent"] = parent(OTHER)
            await client.call_tool("correct_labels", BILL | {"label": "bug"})
            await client.call_tool("correct_labels", BILL, meta={"traceparent": parent("a" * 32)})
    assert traces(workbench, "correct_labels") == [TRACE, OTHER, "a" * 32]


@pytest.mark.parametrize(
    "said", ["", "00-0-0-0", f"00-{'0' * 32}-00f067aa0ba902b7-01", parent(TRACE) * 9, "\x1b[31m"]
)
async def test_what_is_no_trace_is_none(
    workbench: Workbench, connect: Connect, grow: Grow, said: str
) -> None:
    grow(1)
    async with connect() as client:
        done = await client.call_tool("correct_labels", BILL, meta={"traceparent": said})
    assert not done.is_error
    assert traces(workbench, "correct_labels") == [None]


async def test_what_the_agent_does_belongs_to_the_trace_of_its_turn(
    workbench: Workbench, grow: Grow
) -> None:
    grow(1)
    server = build_server(workbench, identify_local(workbench.settings), relay=True)
    async with ToolClient(server) as client:
        with within_trace_of({"headers": [(b"traceparent", parent(TRACE).encode())]}):
            await client.call("correct_labels", BILL)
        await client.call("correct_labels", BILL | {"label": "bug"})
    assert traces(workbench, "correct_labels") == [TRACE, None]


async def test_a_run_keeps_the_trace_of_the_call_that_asked_for_it(
    workbench: Workbench, connect: Connect, grow: Grow
) -> None:
    grow(2)
    async with connect() as client:
        asked = {"databit": "support"}
        await client.call_tool("prelabel_items", asked, meta={"traceparent": parent(TRACE)})
    work(workbench, idle_seconds=0)  # type: ignore[arg-type]
    ended = traces(workbench, "prelabel_items")
    assert len(ended) == 2, "queued, and how it ended"
    assert set(ended) == {TRACE}


async def test_from_a_trace_to_what_was_done_in_it_and_the_chain_covers_it(
    workbench: Workbench, connect: Connect, grow: Grow
) -> None:
    grow(2)
    async with connect() as client:
        await client.call_tool("correct_labels", BILL, meta={"traceparent": parent(TRACE)})
        await client.call_tool("correct_labels", BILL | {"items": [2]})
        found = await client.call_tool("search_audit", {"trace": TRACE})
        assert found.structured_content is not None
        assert found.structured_content["total"] == 1
        assert found.structured_content["rows"][0]["trace_id"] == TRACE
        wrong = await client.call_tool("search_audit", {"trace": "' OR 1=1"})
        assert wrong.is_error
    me = local_actor(workbench.settings, "test")
    assert workbench.run("verify_audit", {}, me).intact  # type: ignore[attr-defined]
    workbench.database.write(
        lambda store: store.tx.driver.execute("UPDATE audit SET trace_id = NULL WHERE id > 0")
    )
    assert not workbench.run("verify_audit", {}, me).intact  # type: ignore[attr-defined]


def test_an_actor_from_before_there_were_traces_still_reads() -> None:
    row = actor_row(Actor("ana", "admin", "mcp", trace=TRACE))
    assert actor_of(row).trace == TRACE
    del row["trace"]
    assert actor_of(row) == Actor("ana", "admin", "mcp")
