"""Whose a task is, and that it goes on over every transport and in whatever process has the workspace."""

import json
import os
import sys
from pathlib import Path

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
)

from databits.model import Run
from databits.settings import Settings
from databits.workbench import Workbench
from databits.workspace import Workspace
from mcp_server.auth import identify_local
from mcp_server.server import build_server
from tests import needs
from tests.accounts import add_account, add_token
from tests.mcp_server.conftest import Grow
from tests.mcp_server.tasks_client import (
    ASSEMBLE,
    PRELABEL,
    Follows,
    ask,
    begin,
    ended,
    prepare,
)
from tests.mcp_server.test_callers import bearer
from tests.mcp_server.test_http import ACCEPTS, HOME, served
from tests.nodes import node, package

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("stateless", [False, True])
async def test_over_http_a_task_is_its_callers_own(labelled: Workbench, stateless: bool) -> None:
    for name in ("bea", "cem"):
        add_account(labelled, name, "engineer")
    async with served(labelled, stateless=stateless) as http:
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        http.headers.update(bearer(add_token(labelled, "bea")))
        async with Client(transport, mode="2026-07-28", extensions=[Follows()]) as client:
            handle = await begin(client, *ASSEMBLE)
            assert (await ask(client.session, "get", handle["taskId"]))["status"] == "working"
            http.headers.update(bearer(add_token(labelled, "bea")))  # another of hers
            assert (await ask(client.session, "get", handle["taskId"]))["status"] == "working"
            http.headers.update(bearer(add_token(labelled, "cem")))
            seen = await client.call_tool("get_run", {"run": 1})  # runs are there for all to see
            assert not seen.is_error
            for verb in ("get", "cancel"):
                with pytest.raises(MCPError, match="you have no task") as refused:
                    await ask(client.session, verb, handle["taskId"])
                assert refused.value.code == INVALID_PARAMS
    assert labelled.database.read(lambda store: store.runs.get(1)).state == "queued"


async def test_what_a_token_may_not_begin_is_no_task_to_it(labelled: Workbench) -> None:
    add_account(labelled, "bea", "engineer")
    async with served(labelled, stateless=True) as http:
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        http.headers.update(bearer(add_token(labelled, "bea")))
        async with Client(transport, mode="2026-07-28", extensions=[Follows()]) as client:
            handle = await begin(client, *ASSEMBLE)
            http.headers.update(bearer(add_token(labelled, "bea", toolsets=["curate"])))
            with pytest.raises(MCPError, match="you have no task"):
                await ask(client.session, "cancel", handle["taskId"])
    assert labelled.database.read(lambda store: store.runs.get(1)).state == "queued"


async def test_a_read_only_request_cancels_nothing(labelled: Workbench) -> None:
    async with served(labelled, stateless=True) as http:
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        async with Client(transport, mode="2026-07-28", extensions=[Follows()]) as client:
            handle = await begin(client, *ASSEMBLE)
            http.headers.update({"x-mcp-readonly": "true"})
            with pytest.raises(MCPError, match="you have no task"):
                await ask(client.session, "cancel", handle["taskId"])
    assert labelled.database.read(lambda store: store.runs.get(1)).state == "queued"


async def test_who_began_a_task_can_cancel_it_as_long_as_they_have_the_role(
    workbench: Workbench, grow: Grow
) -> None:
    grow(2)
    add_account(workbench, "bea", "reviewer")
    async with served(workbench) as http:
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        http.headers.update(bearer(add_token(workbench, "bea")))
        async with Client(transport, mode="2026-07-28", extensions=[Follows()]) as client:
            handle = await begin(client, *PRELABEL)
            http.headers.update(bearer(add_token(workbench, "bea", "viewer")))
            with pytest.raises(MCPError, match="needs the role reviewer"):
                await ask(client.session, "cancel", handle["taskId"])
            assert (await ask(client.session, "get", handle["taskId"]))["status"] == "working"
            http.headers.update(bearer(add_token(workbench, "bea")))
            await ask(client.session, "cancel", handle["taskId"])
            assert (await ask(client.session, "get", handle["taskId"]))["status"] == "cancelled"


async def test_the_header_that_routes_a_task_must_name_it(labelled: Workbench) -> None:
    version = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tasks/get"}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {
            "extensions": {"io.modelcontextprotocol/tasks": {}}
        },
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get"}
    async with served(labelled, stateless=True) as http:
        for headers in ({"mcp-name": "2-x"}, {}):
            params = {"taskId": "1-x", "_meta": meta}
            answer = await http.post(
                "/mcp", json={**body, "params": params}, headers=ACCEPTS | version | headers
            )
            assert answer.json()["error"]["code"] == HEADER_MISMATCH
            assert answer.status_code == 400


SERVE = """
from databits.settings import Settings
from mcp_server.stdio import main

main(Settings(user="ana", role="admin"))
"""


@pytest.mark.slow
async def test_over_standard_input_and_output_a_worker_of_its_own_does_the_task(
    labelled: Workbench, settings: Settings, tmp_path: Path
) -> None:
    labelled.database.close()
    server = StdioServerParameters(
        command=sys.executable,
        args=["-c", SERVE],
        cwd=tmp_path,
        env={**os.environ, "DATABITS_HOME": str(settings.home)},
    )
    async with Client(server, mode="2026-07-28", extensions=[Follows()]) as client:
        done = await client.call_tool(*ASSEMBLE)
    assert done.structured_content is not None, done
    assert done.structured_content["result"]["dataset"] == "support@1"


@pytest.mark.slow
@pytest.mark.skipif(
    not needs.node_packages(), reason="`make test` installs the packages of tests/node"
)
def test_a_client_of_another_make_follows_the_task_to_its_result(
    labelled: Workbench, settings: Settings
) -> None:
    labelled.database.close()
    inspector = package("@modelcontextprotocol/inspector", "clients/cli/build/index.js")
    call = [
        "--connect-timeout",
        "240000",
        "--method",
        "tools/call",
        "--tool-name",
        "assemble_dataset",
        "--tool-arg",
    ]
    ran = node(
        *(inspector, "--cli", "-e", f"DATABITS_HOME={settings.home}", "--protocol-era", "modern"),
        *(*call, "databit=support", "--", sys.executable, "-c", SERVE),
    )
    assert ran.returncode == 0, ran.stderr
    done = json.loads(ran.stdout)
    assert done["structuredContent"]["state"] == "succeeded"
    assert done["structuredContent"]["result"]["dataset"] == "support@1"


@pytest.mark.slow
async def test_a_task_goes_on_in_the_process_that_has_the_workspace_open(
    settings: Settings, tmp_path: Path
) -> None:
    owner = Workspace(settings, stays=True)
    try:
        prepare(owner, settings, tmp_path)
        assert (settings.home / "server.json").exists()
        server = build_server(Workspace(settings), identify_local(settings))
        async with Client(server, mode="2026-07-28", extensions=[Follows()]) as client:
            handle = await begin(client, *ASSEMBLE)
        # The connection is gone and so is the server; the task is not.
        server = build_server(Workspace(settings), identify_local(settings))
        async with Client(server, mode="2026-07-28", extensions=[Follows()]) as client:
            done = await ended(client.session, handle["taskId"])
    finally:
        owner._here.jobs.close()  # type: ignore[union-attr]
        owner.close()
    run = Run.model_validate(done["result"]["structuredContent"])
    assert (run.state, run.result["dataset"]) == ("succeeded", "support@1")  # type: ignore[index]
