"""Calls that take a while: their progress, and what becomes of them when the client cancels.

Over every transport, in both eras: each has a way of its own to carry either. A stdio server beside
another hands its calls over to it.
"""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult

from databits.settings import Settings
from databits.store.database import Database
from databits.store.shapes import now
from databits.workbench import Workbench
from mcp_server.auth import identify_local
from mcp_server.server import build_server
from tests.mcp_server.test_subscriptions import on_a_port, until

pytestmark = pytest.mark.anyio
HOUR_US = 3_600_000_000
SERVE = "from ui.cli import main; main()"


@pytest.fixture
def elsewhere(settings: Settings) -> Iterator[Database]:
    """The database as another process, which works on a run, has it open."""
    database = Database(settings.url)
    yield database
    database.close()


@pytest.fixture
def run(elsewhere: Database) -> int:
    """A run that somebody else works on."""
    run = elsewhere.write(lambda store: store.runs.add("prelabel_items", {}, {"name": "bo"}, None))
    tell(elsewhere, run, state="running", worker="elsewhere", lease_until=now() + HOUR_US)
    return run


def tell(database: Database, run: int, **values: Any) -> None:
    database.write(lambda store: store.runs.set(run, **values))


@pytest.fixture(
    params=[
        "memory",
        "http",
        "stateless http",
        pytest.param("stdio", marks=pytest.mark.slow),
        pytest.param("stdio beside stdio", marks=pytest.mark.slow),
    ]
)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def client_over(
    transport: str, era: str, workbench: Workbench, settings: Settings
) -> AsyncIterator[Client]:
    if transport == "memory":
        server = build_server(workbench, identify_local(settings))
        async with Client(server, mode=era) as client:
            yield client
    elif transport.startswith("stdio"):
        place = StdioServerParameters(
            command=sys.executable,
            args=["-c", SERVE, "mcp"],
            cwd=settings.home.parent,
            env={**os.environ, "DATABITS_HOME": str(settings.home), "DATABITS_USER": "ana"},
        )
        async with AsyncExitStack() as stack:
            if transport != "stdio":  # whoever calls first has the workspace open for both
                first = await stack.enter_async_context(Client(stdio_client(place)))
                await first.call_tool("list_runs", {})
            client = Client(stdio_client(place), mode=era)
            yield await stack.enter_async_context(client)
    else:
        stateless = transport.startswith("stateless")
        async with (
            on_a_port(workbench, stateless=stateless) as url,
            Client(url, mode=era) as client,
        ):
            yield client


async def test_progress_is_told_while_a_call_goes_on_and_only_where_it_grows(
    transport: str,
    era: str,
    workbench: Workbench,
    settings: Settings,
    elsewhere: Database,
    run: int,
) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(*step: Any) -> None:
        told.append(step)

    async def work() -> None:
        for step, (progress, message) in enumerate([(0.25, "reading"), (0.5, "half")], 1):
            await until(lambda step=step: len(told) == step)
            await say(progress=progress, message=message)
        await until(lambda: len(told) == 3)
        await say(message="no further, but busy")
        await say(state="succeeded", progress=1.0, finished_at=now())

    async def say(**values: Any) -> None:
        await anyio.to_thread.run_sync(lambda: tell(elsewhere, run, **values))

    async with (
        client_over(transport, era, workbench, settings) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(work)
        asked = {"run": run, "wait_s": 30}
        done = await client.call_tool("get_run", asked, progress_callback=hear)
    assert done.structured_content is not None
    assert done.structured_content["state"] == "succeeded"
    assert told == [(0, 1, "waiting for a worker"), (0.25, 1, "reading"), (0.5, 1, "half")]


@pytest.mark.parametrize(
    ("transport", "era"),
    [
        ("memory", "legacy"),
        ("memory", "2026-07-28"),
        ("http", "legacy"),
        ("http", "2026-07-28"),
        ("stateless http", "2026-07-28"),  # for legacy clients the protocol has no way there
        pytest.param("stdio", "legacy", marks=pytest.mark.slow),
        pytest.param("stdio", "2026-07-28", marks=pytest.mark.slow),
        pytest.param("stdio beside stdio", "legacy", marks=pytest.mark.slow),
        pytest.param("stdio beside stdio", "2026-07-28", marks=pytest.mark.slow),
    ],
)
async def test_calls_that_a_client_cancels_end_at_once(
    transport: str, era: str, workbench: Workbench, settings: Settings, run: int
) -> None:
    """More of them than the server has threads: were they to go on, the next call would wait."""
    count, results = 45, list[CallToolResult]()

    async def wait_for_run(client: Client) -> None:
        begun = anyio.Event()

        async def hear(*_: Any) -> None:
            begun.set()

        async def call() -> None:
            results.append(
                await client.call_tool(
                    "get_run", {"run": run, "wait_s": 30}, progress_callback=hear
                )
            )

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            with anyio.move_on_after(20):
                await begun.wait()
            group.cancel_scope.cancel()

    async with client_over(transport, era, workbench, settings) as client:
        limit = anyio.CapacityLimiter(15)

        async def one() -> None:
            async with limit:
                await wait_for_run(client)

        begun = time.monotonic()
        await wait_for_run(client)
        # They would wait for half a minute; a slow machine has as long as one by one would take.
        with anyio.fail_after(max(25, count * (time.monotonic() - begun))):
            async with anyio.create_task_group() as group:
                for _ in range(count):
                    group.start_soon(one)
            listed = await client.call_tool("list_runs", {})
    # Within one process, whoever waits is cancelled only once the work has ended.
    assert all(result.is_error for result in results)
    assert transport == "memory" or not results
    assert listed.structured_content is not None
    assert listed.structured_content["rows"][0]["state"] == "running"


@pytest.mark.parametrize("transport", ["memory", "http"])
async def test_who_waits_leaves_the_threads_to_others(
    transport: str, workbench: Workbench, settings: Settings, elsewhere: Database, run: int
) -> None:
    """Fifty that wait are more than there are threads; whoever only looks is answered all the same."""
    waiting, ended = 0, list[CallToolResult]()

    async def wait(client: Client) -> None:
        heard = False

        async def hear(*_: Any) -> None:
            nonlocal waiting, heard
            waiting += not heard
            heard = True

        asked = {"run": run, "wait_s": 30}
        ended.append(await client.call_tool("get_run", asked, progress_callback=hear))

    async with (
        client_over(transport, "2026-07-28", workbench, settings) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(50):
            group.start_soon(wait, client)
        await until(lambda: waiting == 50)
        listed = await client.call_tool("list_databits", {})
        assert not listed.is_error
        assert not ended
        finish = {"state": "succeeded", "progress": 1.0, "finished_at": now()}
        await anyio.to_thread.run_sync(lambda: tell(elsewhere, run, **finish))
    assert len(ended) == 50
    assert all(done.structured_content["state"] == "succeeded" for done in ended)  # type: ignore[index]
