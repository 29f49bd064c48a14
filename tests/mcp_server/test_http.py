"""Streamable HTTP: the same tools, for this machine only, and not for pages of other sites."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestFormParams, ElicitResult
from starlette.applications import Starlette

from databits.settings import Settings
from databits.workbench import Workbench
from mcp_server.auth import identify_local
from mcp_server.http import http_app
from tests.mcp_server.conftest import Grow

pytestmark = pytest.mark.anyio

HOME = "http://127.0.0.1:8765"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPTS = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def served(workbench: Workbench, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the app, without a socket in between."""
    _, routes, lifespan = http_app(workbench, workbench.settings, **options)
    transport = httpx2.ASGITransport(app=Starlette(routes=list(routes)))
    async with lifespan(), httpx2.AsyncClient(transport=transport, base_url=HOME) as http:
        yield http


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "rebound.example"}, 421),
        ({"host": "127.0.0.1.evil.example:8765"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
    ids=["another host", "a host that looks alike", "another site", "a sandboxed page"],
)
async def test_other_sites_and_names_are_refused(
    workbench: Workbench, headers: dict[str, str], status: int
) -> None:
    async with served(workbench, stateless=True) as http:
        answer = await http.post("/mcp", json=PING, headers=ACCEPTS | headers)
    assert answer.status_code == status


async def test_a_further_host_is_let_in_when_it_is_named(workbench: Workbench) -> None:
    headers = ACCEPTS | {"host": "bits.example", "origin": "https://bits.example"}
    async with served(workbench, stateless=True, hosts=["bits.example"]) as http:
        answer = await http.post("/mcp", json=PING, headers=headers)
    assert answer.status_code == 200


async def test_off_loopback_nobody_is_taken_for_this_machines_user(
    workbench: Workbench, settings: Settings
) -> None:
    workbench.settings = settings.model_copy(update={"host": "0.0.0.0"})
    async with served(workbench, stateless=True) as http:
        assert (await http.post("/mcp", json=PING, headers=ACCEPTS)).status_code == 401
    me = replace(identify_local(settings)(None), name="bo")
    async with served(workbench, stateless=True, identify=lambda _: me) as http:
        assert (await http.post("/mcp", json=PING, headers=ACCEPTS)).status_code == 200


async def test_a_stateless_server_asks_clients_of_2026_and_gives_older_ones_the_plan(
    workbench: Workbench, grow: Grow
) -> None:
    grow(2)
    label_all = {"databit": "support", "verdict": "label", "to": "bug"}
    asked: list[str] = []

    async def decline(_: Any, params: ElicitRequestFormParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="decline")

    async with served(workbench, stateless=True) as http:
        for era, state in (("legacy", "pending"), ("2026-07-28", "rejected")):
            transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
            async with Client(transport, mode=era, elicitation_callback=decline) as client:
                done = await client.call_tool("bulk_label", label_all)
            assert done.structured_content is not None
            assert done.structured_content["plan"]["state"] == state
    assert len(asked) == 1


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused_with_the_limit_and_what_to_do(
    workbench: Workbench, chunked: bool
) -> None:
    workbench.settings = workbench.settings.model_copy(update={"body_mb": 1})
    large = b'{"a": "' + b"x" * 1_100_000 + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 100_000):
            yield large[start : start + 100_000]

    async with served(workbench, stateless=True) as http:
        answer = await http.post("/mcp", content=pieces() if chunked else large, headers=ACCEPTS)
        assert answer.status_code == 413
        assert "larger than 1 MB" in answer.json()["message"]
        assert "DATABITS_BODY_MB" in answer.json()["message"]
        assert (await http.post("/mcp", json=PING, headers=ACCEPTS)).status_code == 200


async def test_a_body_that_is_no_message_is_told_so_without_the_validators_words(
    workbench: Workbench,
) -> None:
    async with served(workbench, stateless=True) as http:
        for body in (b"[]", b"null", b'{"method": 1, "secret": "hunter2"}'):
            answer = await http.post(
                "/mcp", content=body, headers=ACCEPTS | {"content-type": "application/json"}
            )
            assert answer.status_code == 400
            assert answer.json()["error"]["message"] == "The body is no JSON-RPC 2.0 message."
            assert "hunter2" not in answer.text
