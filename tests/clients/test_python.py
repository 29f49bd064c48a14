"""Clients in Python that are not ours: fastmcp, OpenAI's Agents SDK, Databricks' own."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from agents import Agent
from agents.mcp import MCPServer, MCPServerStdio, MCPServerStreamableHttp, MCPUtil
from agents.run_context import RunContextWrapper
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport

from tests.clients import day
from tests.clients.conftest import COMMAND, Place

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


class Person:
    """Whoever sits at the client: agrees to what they are shown, and leaves the fields as they are."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def __call__(self, message: str, kind: Any, params: Any, context: Any) -> Any:
        self.shown.append(message)
        fields = params.requested_schema["properties"]
        return ElicitResult(
            action="accept",
            content={n: f["type"] == "boolean" or f.get("default") for n, f in fields.items()},
        )


@pytest.mark.parametrize("over", ["http", "stdio"])
async def test_fastmcp_works_a_day_with_a_form(served: Place, place: Place, over: str) -> None:
    person = Person()
    if over == "http":
        place = served._replace(databit="fastmcp")
        target: Any = place.url
    else:
        target = StdioTransport(str(COMMAND), ["mcp"], env=place.environment)
    async with Client(target, elicitation_handler=person) as client:

        async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            return dict((await client.call_tool(name, arguments)).structured_content or {})

        await day.look(call, {tool.name for tool in await client.list_tools()}, place)
        await day.decide(call, place, asked=lambda: person.shown)
        await day.wait(call, place)
    day.check(place, "(mcp 2026-07-28)", asks=True)


@pytest.mark.parametrize("over", ["http", "stdio"])
async def test_openai_agents_work_a_day_without_forms(
    served: Place, place: Place, over: str
) -> None:
    server: MCPServer
    if over == "http":
        place = served._replace(databit="openai")
        server = MCPServerStreamableHttp({"url": place.url}, client_session_timeout_seconds=60)
    else:
        started: Any = {"command": str(COMMAND), "args": ["mcp"], "env": place.environment}
        server = MCPServerStdio(started, client_session_timeout_seconds=60)
    async with server:

        async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            done = await server.call_tool(name, arguments)
            assert not done.is_error, done.content
            return dict(done.structured_content or {})

        tools = await MCPUtil.get_function_tools(
            server, True, RunContextWrapper(None), Agent("any")
        )
        await day.look(call, {tool.name for tool in tools}, place)
        await day.decide(call, place, asked=None)
        await day.wait(call, place)
    day.check(place, "mcp ", asks=False)


async def test_databricks_client_works_a_day_with_a_token(
    served: Place, databricks_host: str
) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks_mcp import DatabricksMCPClient

    place = served._replace(databit="databricks")
    # It shows the workspace's token to every server; ours takes it for none of its own.
    workspace = WorkspaceClient(host=databricks_host, token="dapi-of-another")
    client = DatabricksMCPClient(place.url, workspace)

    async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        done = await client.acall_tool(name, arguments)
        assert not done.is_error, done.content
        return dict(done.structured_content or {})

    await day.look(call, {tool.name for tool in await client.alist_tools()}, place)
    await day.decide(call, place, asked=None)
    await day.wait(call, place)
    day.check(place, "mcp ", asks=False)


@pytest.fixture
def databricks_host() -> Iterator[str]:
    """A host that knows nothing. Without one, Databricks' SDK probes for minutes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Nothing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _Nothing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        pass
