"""The supervisor: it gives each request to the specialist of its stage and answers the person."""

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
)
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from agent.client import ToolClient
from agent.planner import PlannerChatModel
from agent.specialists import DUTIES, specialist
from prompts import load

CALLS = 16
FELL_BACK = "(The chat model does not answer; the built-in planner took over.)"

Graph = CompiledStateGraph[Any, Any, Any, Any]


def build(
    tools: Sequence[BaseTool],
    client: ToolClient,
    planner: PlannerChatModel,
    checkpointer: BaseCheckpointSaver[Any],
    model: BaseChatModel | None = None,
) -> Graph:
    """The graph of a conversation.

    model: the chat model to think with; without one, and when it fails, the planner does.
    """
    by_stage = {stage: toolset(tools, stage) for stage in DUTIES}
    by_stage = {stage: own for stage, own in by_stage.items() if own}
    chief = planner.model_copy(update={"delegates": by_stage})
    specialists = [
        specialist(stage, own, model or planner, client, _fallback(model, planner))
        for stage, own in by_stage.items()
    ]
    return create_agent(
        model or chief,
        specialists,
        name="supervisor",
        system_prompt=load("supervisor"),
        middleware=[
            *_fallback(model, chief.model_copy(update={"preface": FELL_BACK})),
            ModelCallLimitMiddleware(run_limit=CALLS, exit_behavior="end"),
        ],
        checkpointer=checkpointer,
    )


def toolset(tools: Sequence[BaseTool], stage: str) -> list[BaseTool]:
    """The tools of a stage; where work can be started, it can be followed, too."""
    own = [tool for tool in tools if _meta(tool).get("stage") == stage]
    if any(_meta(tool).get("job") for tool in own):
        own += [tool for tool in tools if tool.name == "get_run" and tool not in own]
    return own


def _meta(tool: BaseTool) -> dict[str, Any]:
    found: dict[str, Any] = (tool.metadata or {}).get("meta", {})
    return found


def _fallback(
    model: BaseChatModel | None, planner: PlannerChatModel
) -> list[AgentMiddleware[Any, Any, Any]]:
    return [ModelFallbackMiddleware(planner)] if model is not None else []
