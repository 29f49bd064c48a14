"""MCP over HTTP with tokens: whose they are, what they may, and what they never get."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from databits.settings import Settings
from databits.store.tables import audit, changes
from databits.workbench import Workbench
from tests.accounts import add_account, add_token, disable, revoke_tokens
from tests.mcp_server.conftest import Grow
from tests.mcp_server.test_http import ACCEPTS, HOME, PING, served

pytestmark = pytest.mark.anyio
ERAS = pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "curl", "version": "8"},
    },
}


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@asynccontextmanager
async def connected(http: httpx2.AsyncClient, secret: str, era: str) -> AsyncIterator[Client]:
    http.headers.update(bearer(secret))
    transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
    async with Client(transport, mode=era) as client:
        yield client


def rows(workbench: Workbench, table: Any) -> list[Any]:
    return list(workbench.database.read(lambda store: store.tx.rows(table.select())))


@ERAS
async def test_a_call_is_made_in_the_name_of_the_tokens_person(
    workbench: Workbench, grow: Grow, era: str
) -> None:
    grow(2)
    add_account(workbench, "bea", "reviewer")
    async with (
        served(workbench) as http,
        connected(http, add_token(workbench, "bea"), era) as client,
    ):
        done = await client.call_tool(
            "correct_labels", {"databit": "support", "items": [1], "label": "bug"}
        )
    assert not done.is_error
    [change] = [row for row in rows(workbench, changes) if row.operation == "correct_labels"]
    assert change.actor == "bea"


@ERAS
async def test_a_viewers_token_reads_and_can_not_write(
    workbench: Workbench, grow: Grow, era: str
) -> None:
    grow(2)
    add_account(workbench, "bea", "admin")
    secret = add_token(workbench, "bea", "viewer")
    before = len(rows(workbench, changes))
    async with served(workbench) as http, connected(http, secret, era) as client:
        assert not (await client.call_tool("list_databits", {})).is_error
        for name, arguments in (
            ("correct_labels", {"databit": "support", "items": [1], "label": "bug"}),
            ("create_databit", {"name": "mine", "labels": ["a", "b"]}),
            ("bulk_label", {"databit": "support", "verdict": "label", "to": "bug"}),
        ):
            refused = await client.call_tool(name, arguments)
            assert refused.is_error, name
            assert "needs the role" in refused.content[0].text  # type: ignore[union-attr]
    assert len(rows(workbench, changes)) == before
    assert {row.actor for row in rows(workbench, audit) if row.outcome == "refused"} == {"bea"}


@ERAS
async def test_tools_outside_a_tokens_toolsets_are_neither_listed_nor_called(
    workbench: Workbench, era: str
) -> None:
    add_account(workbench, "bea", "admin")
    narrow = add_token(workbench, "bea", toolsets=["curate"])
    async with served(workbench) as http, connected(http, narrow, era) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert "approve_labels" in listed
        assert "get_run" in listed
        assert not listed & {"create_databit", "deploy_model", "import_files"}
        refused = await client.call_tool("create_databit", {"name": "mine", "labels": ["a", "b"]})
        assert refused.is_error
        assert "not in this token's toolsets: curate" in refused.content[0].text  # type: ignore[union-attr]
        refused = await client.call_tool("no_such_tool", {})
        assert refused.is_error
        assert "no tool of that name" in refused.content[0].text  # type: ignore[union-attr]
    async with served(workbench) as http, connected(http, add_token(workbench, "bea"), era) as all_:
        assert not (
            await all_.call_tool("create_databit", {"name": "mine", "labels": ["a", "b"]})
        ).is_error


async def test_a_session_belongs_to_the_token_that_opened_it(workbench: Workbench) -> None:
    add_account(workbench, "bea", "admin")
    first, second = add_token(workbench, "bea"), add_token(workbench, "bea")
    async with served(workbench) as http:
        opened = await http.post("/mcp", json=HELLO, headers=ACCEPTS | bearer(first))
        stolen = {"mcp-session-id": opened.headers["mcp-session-id"]}
        for headers, status in (
            (bearer(first), 200),
            (bearer(second), 404),
            (bearer("dbw_made-up"), 401),
            ({}, 401),
        ):
            answer = await http.post("/mcp", json=PING, headers=ACCEPTS | stolen | headers)
            assert answer.status_code == status, headers
        revoke_tokens(workbench, "bea")
        answer = await http.post("/mcp", json=PING, headers=ACCEPTS | stolen | bearer(first))
        assert answer.status_code == 401


async def test_a_session_from_before_the_first_account_is_over(workbench: Workbench) -> None:
    async with served(workbench) as http:
        opened = await http.post("/mcp", json=HELLO, headers=ACCEPTS)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        assert (await http.post("/mcp", json=PING, headers=ACCEPTS | session)).status_code == 200
        add_account(workbench, "bea")
        assert (await http.post("/mcp", json=PING, headers=ACCEPTS | session)).status_code == 401


async def test_nobody_gets_in_unknown(workbench: Workbench) -> None:
    add_account(workbench, "bea")
    disabled = add_token(workbench, "bea")
    disable(workbench, "bea")
    workbench.settings = workbench.settings.model_copy(update={"require_sign_in": True})
    async with served(workbench) as http:
        for headers in ({}, bearer("dbw_made-up"), bearer("x"), bearer(disabled)):
            for method in ("POST", "GET", "DELETE"):
                answer = await http.request(method, "/mcp", json=PING, headers=ACCEPTS | headers)
                assert answer.status_code == 401, (method, headers)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert "databits token create" in answer.json()["message"]


def test_what_closes_the_server_by_itself() -> None:
    assert not Settings().serves_others
    assert not Settings(host="localhost").serves_others
    for chosen in (
        Settings(host="0.0.0.0"),
        Settings(host="bits.example"),
        Settings(require_sign_in=True),
        Settings(identity_header="x-forwarded-email"),
    ):
        assert chosen.serves_others
