from typing import Any

import pytest
from langchain.agents.middleware import ToolCallRequest
from langchain_core.messages import ToolMessage

from agent.client import ToolClient
from agent.conversation import Result
from agent.specialists import DUTIES, WaitForRun
from agent.wording import tell
from databits.operation import STAGES
from databits.platforms.embedded import Embedded
from databits.platforms.embedded.jobs import work
from mcp_server.server import build_server
from prompts import load
from tests.agent.talk import ANN
from tests.conftest import Desk


def test_every_stage_has_a_specialist_with_a_prompt() -> None:
    assert tuple(DUTIES) == STAGES
    for stage in DUTIES:
        assert "never" in load(stage).lower() or "not" in load(stage)
    assert "Approvals belong to people" in load("supervisor")


@pytest.mark.anyio
async def test_a_run_that_takes_longer_is_told_as_running(
    workbench: Embedded, queued: Desk
) -> None:
    async with ToolClient(build_server(workbench, lambda _: ANN, relay=True)) as client:
        started = await client.call("prelabel_items", {"databit": "support"})

        async def handler(_: ToolCallRequest) -> ToolMessage:
            return ToolMessage(started["text"], tool_call_id="1", artifact=started["data"])

        async def wait(seconds: float) -> dict[str, Any]:
            call = {"name": "prelabel_items", "args": {}, "id": "1", "type": "tool_call"}
            request = ToolCallRequest(tool_call=call, tool=None, state={}, runtime=None)  # type: ignore[arg-type]
            message = await WaitForRun(client, seconds).awrap_tool_call(request, handler)
            assert isinstance(message, ToolMessage)
            return dict(message.artifact)

        still = await wait(0.05)
        assert still["state"] == "queued"
        result = Result(tool="prelabel_items", arguments={}, ok=True, text="", data=still)
        assert "Ask “how is run 1” to follow it." in tell(result)
        work(workbench, idle_seconds=0)
        assert (await wait(120))["state"] == "succeeded"
