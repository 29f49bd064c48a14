"""One specialist a stage: an agent with that stage's tools, which the supervisor calls as a tool."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    ToolCallLimitMiddleware,
    ToolCallRequest,
)
from langchain.tools import ToolRuntime, tool
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.types import Command

from agent.client import ToolClient
from agent.conversation import Result, is_run, results_of
from prompts import load

# What a specialist is for, as the supervisor's model reads it.
DUTIES = {
    "data": "Import files and look at sources and records.",
    "template": "Create and read Databits: label sets, guidelines, prompts, versions.",
    "curate": "Queue, pre-label, claim, approve, correct, reject and count items to label.",
    "train": "Assemble datasets, train and evaluate models, follow and cancel runs.",
    "deploy": "Deploy models to endpoints, look at endpoints, ask them.",
    "monitor": "Measure endpoints: requests, latency, errors, drift.",
    "improve": "Record feedback and turn it into new items to label.",
    "registry": "Lineage, changes and undo, approvals, audit, the state of the pipeline.",
}
CALLS = 8
WAIT_S = 20.0
STEP_S = 5.0
ENDED = {"succeeded", "failed", "cancelled"}


class WaitForRun(AgentMiddleware[Any, Any, Any]):
    """Stays with a run for a while, so that a short one's result is told in the same turn."""

    def __init__(self, client: ToolClient, wait_s: float = WAIT_S) -> None:
        super().__init__()
        self._client = client
        self._wait_s = wait_s

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        message = await handler(request)
        if not isinstance(message, ToolMessage) or request.tool_call["name"] == "get_run":
            return message
        run = _started(message.artifact)
        until = time.monotonic() + self._wait_s
        while run is not None and (left := until - time.monotonic()) > 0:
            asked = {"run": run, "wait_s": min(STEP_S, left)}
            reply = await self._client.call("get_run", asked)
            if reply["error"]:
                break
            message = message.model_copy(
                update={"content": reply["text"], "artifact": reply["data"]}
            )
            run = _started(reply["data"])
        return message


def specialist(
    stage: str,
    tools: Sequence[BaseTool],
    model: BaseChatModel,
    client: ToolClient,
    middleware: Sequence[AgentMiddleware[Any, Any, Any]] = (),
) -> BaseTool:
    """The agent of a stage as a tool that takes a request in words."""
    agent = create_agent(
        model,
        list(tools),
        name=stage,
        system_prompt=load(stage),
        middleware=[
            *middleware,
            ModelCallLimitMiddleware(run_limit=CALLS + 1, exit_behavior="end"),
            ToolCallLimitMiddleware(run_limit=CALLS, exit_behavior="end"),
            WaitForRun(client),
        ],
    )

    @tool(stage, description=DUTIES[stage], response_format="content_and_artifact")
    async def delegate(request: str, runtime: ToolRuntime) -> tuple[str, dict[str, list[Result]]]:
        planned = _planned(runtime.state["messages"], runtime.tool_call_id)
        message = HumanMessage(request, additional_kwargs={"planned": planned} if planned else {})
        done = await agent.ainvoke({"messages": [message]})
        messages: list[BaseMessage] = done["messages"]
        results = [
            result
            for n, m in enumerate(messages)
            if isinstance(m, ToolMessage)
            for result in results_of(m, messages[:n])
        ]
        return messages[-1].text, {"results": results}

    return delegate


def _planned(messages: Sequence[BaseMessage], call_id: str | None) -> dict[str, Any] | None:
    """The very call that the supervisor's planner has settled on, if it is one."""
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            found: dict[str, Any] | None = message.additional_kwargs.get("planned", {}).get(call_id)
            return found
    return None


def _started(data: Any) -> int | None:
    """The id of the run that a result stands for, while it has not ended."""
    run = data.get("run") or data if isinstance(data, dict) else {}
    if isinstance(run, dict) and is_run(run) and run["state"] not in ENDED:
        return int(run["id"])
    return None
