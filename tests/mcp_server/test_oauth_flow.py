"""The MCP SDK's own OAuth client, the server and a real sign-in server: all it is given is the URL of `/mcp`."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.to_thread
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl
from starlette.applications import Starlette

from databits.store.tables import audit
from databits.workbench import Workbench
from mcp_server.http import http_app
from tests.accounts import run
from tests.mcp_server.test_callers import rows
from tests.nodes import node
from tests.sign_in_server import SignInServer

pytestmark = pytest.mark.anyio
BACK = "http://127.0.0.1:3030/callback"


class Memory:
    """Where the client keeps what it was given."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Browser:
    """Goes where the client sends it, and tells where that led."""

    def __init__(self) -> None:
        self._led = ""

    async def open(self, url: str) -> None:
        async with httpx2.AsyncClient() as http:
            answer = await http.get(url)
        assert answer.status_code == 302, answer.text
        self._led = answer.headers["location"]

    async def led(self) -> AuthorizationCodeResult:
        assert self._led.startswith(BACK)
        said = parse_qs(urlsplit(self._led).query)
        return AuthorizationCodeResult(
            code=said["code"][0], state=said["state"][0], iss=said["iss"][0]
        )


@asynccontextmanager
async def on_a_port(workbench: Workbench, theirs: SignInServer) -> AsyncIterator[str]:
    """The server on a port that the system chose, which it has to know before it is asked."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    chosen = {"oauth_issuer": theirs.url, "oauth_resource": url}
    workbench.settings = workbench.settings.model_copy(update=chosen)
    _, routes, lifespan = http_app(workbench, workbench.settings)
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=list(routes)), log_level="error"))
    async with AsyncExitStack() as stack:
        stack.enter_context(listening)
        await stack.enter_async_context(lifespan())
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(server.serve, [listening])
        yield url
        server.should_exit = True


@pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
async def test_a_client_finds_signs_in_calls_and_asks_for_more_when_a_call_needs_it(
    workbench: Workbench, era: str
) -> None:
    run(workbench, "add_person", person="sso+lena", role="engineer")
    memory, browser = Memory(), Browser()
    with SignInServer() as theirs:
        async with on_a_port(workbench, theirs) as url:
            me = OAuthClientMetadata(
                client_name="Editor",
                redirect_uris=[AnyUrl(BACK)],
                grant_types=["authorization_code", "refresh_token"],
            )
            auth = OAuthClientProvider(url, me, memory, browser.open, browser.led)
            async with (
                httpx2.AsyncClient(auth=auth) as http,
                Client(streamable_http_client(url, http_client=http), mode=era) as client,
            ):
                listed = await client.call_tool("list_databits", {})
                assert not listed.is_error
                assert [asked.scopes for asked in theirs.authorized] == [["databits:viewer"]]
                made = await client.call_tool(
                    "create_databit", {"name": "mine", "labels": ["a", "b"]}
                )
                assert not made.is_error, made.content
        assert "/.well-known/oauth-authorization-server" in theirs.asked
        assert "/register" in theirs.asked
    first, second = theirs.authorized
    assert first.resource == second.resource == url, (
        "RFC 8707: the client says what the token is for"
    )
    assert set(second.scopes or []) == {"databits:viewer", "databits:reviewer"}
    assert memory.client is not None
    [event] = [row for row in rows(workbench, audit) if row.operation == "create_databit"]
    assert (event.actor, event.role) == ("sso+lena", "reviewer")
    assert event.client.endswith(f" by {memory.client.client_id}")


@pytest.mark.slow
@pytest.mark.parametrize(("sdk", "mode"), [(1, "legacy"), (2, "legacy"), (2, "auto")])
async def test_the_typescript_sdk_signs_in_and_asks_for_more(
    workbench: Workbench, sdk: int, mode: str
) -> None:
    """What most editors are built on. Version 1 asks for the new scope alone, which covers the old one."""
    run(workbench, "add_person", person="sso+lena", role="engineer")
    calls = [
        {"name": "list_databits", "arguments": {}},
        {"name": "create_databit", "arguments": {"name": "mine", "labels": ["a", "b"]}},
        {"name": "list_databits", "arguments": {}},
    ]
    with SignInServer() as theirs:
        async with on_a_port(workbench, theirs) as url:
            said = json.dumps({"sdk": sdk, "mode": mode, "url": url, "calls": calls})
            ended = await anyio.to_thread.run_sync(lambda: node("signs_in.mjs", said, timeout=50))
    assert ended.returncode == 0, ended.stderr
    before, made, after = json.loads(ended.stdout)
    assert [before["structuredContent"]["total"], after["structuredContent"]["total"]] == [0, 1]
    assert not made.get("isError"), made
    assert len(theirs.authorized) == 2
    [event] = [row for row in rows(workbench, audit) if row.operation == "create_databit"]
    assert event.actor == "sso+lena"
