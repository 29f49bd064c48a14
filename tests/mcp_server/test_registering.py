"""The server's own tools are in the registry of tools, and a changed one is seen."""

import json
import time
from typing import Any

import pytest
from mcp import Client
from mcp.types import Tool

from databits.actor import Actor
from databits.settings import Settings
from databits.store.tables import audit, changes, tool_versions
from databits.workbench import Workbench
from mcp_server.auth import identify_local
from mcp_server.registering import enter, every_tool, own_tools
from mcp_server.server import build_server
from tests.mcp_server.snapshots import FOLDER

ANA = Actor("ana", "admin", "test", person=True)


def rows(workbench: Workbench, table: Any) -> list[Any]:
    query = table.select().order_by(table.c.id)
    return list(workbench.database.read(lambda store: store.tx.rows(query)))


def asked(workbench: Workbench, name: str, /, **arguments: Any) -> Any:
    return workbench.run(name, arguments, ANA)


def test_every_tool_is_entered_as_clients_get_to_know_it(workbench: Workbench) -> None:
    enter(workbench, every_tool())
    found = {row.name: row for row in rows(workbench, tool_versions)}
    on_file = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in FOLDER.glob("*.json")}
    assert {name: row.definition for name, row in found.items()} == on_file
    assert {row.version for row in found.values()} == {1}
    shown = asked(workbench, "get_asset", asset="tool:databits/list_items")
    assert (shown.owner, len(shown.sha256)) == ("databits", 64)


def test_entering_them_again_writes_nothing(workbench: Workbench) -> None:
    enter(workbench, every_tool())
    before = [rows(workbench, table) for table in (tool_versions, changes, audit)]
    enter(workbench, every_tool())
    assert [rows(workbench, table) for table in (tool_versions, changes, audit)] == before
    assert [row.operation for row in before[1]] == ["register_tool"]


def test_a_changed_definition_is_a_version_of_its_own_and_one_that_went_is_gone(
    workbench: Workbench,
) -> None:
    tools = every_tool()
    enter(workbench, tools)
    changed = [
        Tool.model_validate({**t.model_dump(), "description": "Otherwise."})
        if t.name == "list_items"
        else t
        for t in tools
        if t.name != "verify_audit"
    ]
    enter(workbench, changed)
    shown = asked(workbench, "get_asset", asset="tool:databits/list_items")
    new, old = shown.versions
    assert (new.asset, old.asset) == ("tool:databits/list_items@2", "tool:databits/list_items@1")
    assert new.sha256 != old.sha256
    assert new.since > old.since
    assert shown.definition["description"] == "Otherwise."
    assert asked(workbench, "get_asset", asset="tool:databits/verify_audit").gone is True
    assert asked(workbench, "list_assets", kind="tool").total == len(tools) - 1


@pytest.mark.anyio
async def test_a_server_enters_them_after_its_first_call_and_not_before(
    workbench: Workbench, settings: Settings, era: str
) -> None:
    server = build_server(
        workbench, identify_local(settings), middleware=own_tools(workbench, settings)
    )
    async with Client(server, mode=era) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert not (settings.home / "workbench.db").exists()
        await client.call_tool("list_databits", {})
        until = time.monotonic() + 240
        while not (found := rows(workbench, tool_versions)) and time.monotonic() < until:
            time.sleep(0.05)
        await client.call_tool("list_databits", {})
    assert listed <= {row.name for row in found}


def test_where_nothing_may_be_changed_nothing_is_entered(settings: Settings) -> None:
    workbench = Workbench(settings)
    assert len(own_tools(workbench, settings)) == 1
    assert own_tools(workbench, settings, read_only=True) == []
    for change in ({"read_only": True}, {"role": "viewer"}, {"role": "reviewer"}):
        assert own_tools(workbench, settings.model_copy(update=change)) == []
