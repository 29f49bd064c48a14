"""What another package adds to the server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent

from databits.workbench import Workbench
from mcp_server.additions import Addition
from mcp_server.tasks import TASK, Task
from tests.accounts import add_account, add_token
from tests.mcp_server.conftest import Connect
from tests.mcp_server.tasks_client import Follows, ask, begin
from tests.mcp_server.test_callers import connected
from tests.mcp_server.test_http import served

pytestmark = pytest.mark.anyio
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)


class OnePrint:
    """A source of one task, of a printer."""

    def __init__(self) -> None:
        self.task = Task("print-1", "input_required", MOMENT, MOMENT, questions={"paper": {}})

    async def find(self, ctx: Any, task_id: str) -> Task | None:
        return self.task if task_id == self.task.id else None

    async def answer(self, ctx: Any, task_id: str, answers: Mapping[str, Any]) -> None:
        printed = CallToolResult(content=[TextContent(type="text", text=str(answers["paper"]))])
        self.task = Task("print-1", "completed", MOMENT, MOMENT, result=printed)

    async def cancel(self, ctx: Any, task_id: str) -> None:
        self.task = Task("print-1", "cancelled", MOMENT, MOMENT)


async def print_labels() -> CallToolResult:
    """Print the labels of a shelf."""
    return CallToolResult(
        content=[TextContent(type="text", text="It prints.")], _meta={TASK: "print-1"}
    )


def shelves(server: MCPServer[Any]) -> None:
    @server.resource("shelf://{name}")
    def shelf(name: str) -> str:
        return f"The shelf {name} is empty."


def printer() -> Addition:
    tool = Tool.from_function(print_labels, structured_output=False)
    return Addition(tools=[tool], tasks=[OnePrint()], extend=shelves)


async def test_its_tools_resources_and_tasks_stand_beside_ours(connect: Connect) -> None:
    async with connect(extensions=[Follows()], addition=printer()) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        read = await client.read_resource("shelf://upper")
        handle = await begin(client, "print_labels", {})
        asking = await ask(client.session, "get", "print-1")
        await ask(client.session, "update", "print-1", inputResponses={"paper": {"size": "A4"}})
        done = await ask(client.session, "get", "print-1")
    assert {"print_labels", "list_databits"} <= names
    assert read.contents[0].text == "The shelf upper is empty."  # type: ignore[union-attr]
    assert (handle["taskId"], handle["status"]) == ("print-1", "input_required")
    assert asking["inputRequests"] == {"paper": {}}
    assert "A4" in done["result"]["content"][0]["text"]
    assert "inputRequests" not in done


async def test_a_client_without_tasks_gets_what_its_tool_returned(connect: Connect) -> None:
    async with connect(addition=printer()) as client:
        done = await client.call_tool("print_labels", {})
    assert done.content[0].text == "It prints."  # type: ignore[union-attr]


async def test_who_is_held_to_toolsets_neither_sees_nor_calls_its_tools(
    workbench: Workbench,
) -> None:
    add_account(workbench, "bea", "admin")
    async with served(workbench, addition=printer()) as http:
        for toolsets, sees in ((None, True), (["curate"], False)):
            secret = add_token(workbench, "bea", toolsets=toolsets)
            async with connected(http, secret, "2026-07-28") as client:
                names = {tool.name for tool in (await client.list_tools()).tools}
                assert ("print_labels" in names) is sees
                if sees:
                    assert not (await client.call_tool("print_labels", {})).is_error
                else:
                    refused = await client.call_tool("print_labels", {})
                    assert refused.is_error
                    assert "toolsets" in refused.content[0].text  # type: ignore[union-attr]
