"""Tools outside a caller's toolsets: neither listed nor called."""

from collections.abc import Callable, Collection
from typing import Any

from mcp.server.context import (
    CallNext,
    HandlerResult,
    ServerMiddleware,
    ServerRequestContext,
)
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from databits.operation import CATALOGUE, Operation

# Offered with any toolset: without them a run's handle or a change_id would lead nowhere.
ALWAYS = ("get_run", "undo_change")

Toolsets = Callable[[ServerRequestContext[Any, Any]], Collection[str] | None]


def every_one(_: ServerRequestContext[Any, Any]) -> None:
    """All stages, whoever asks."""


def covers(toolsets: Collection[str] | None, op: Operation) -> bool:
    """Whether an operation is of these stages; None means all of them."""
    return toolsets is None or op.stage in toolsets or op.name in ALWAYS


def only(toolsets_of: Toolsets) -> ServerMiddleware[Any]:
    """A server's middleware that keeps each caller within their toolsets.

    Args:
        toolsets_of: The stages that the caller of a request may use; None means all.
    """

    async def within(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method not in ("tools/list", "tools/call"):
            return await call_next(ctx)
        toolsets = toolsets_of(ctx)
        if ctx.method == "tools/call":
            _refuse_outside(toolsets, str((ctx.params or {}).get("name")))
        found = await call_next(ctx)
        if ctx.method == "tools/list" and isinstance(found, dict):
            tools = [t for t in found["tools"] if _covers_name(toolsets, t["name"])]
            return {**found, "tools": tools}
        return found

    return within


def _covers_name(toolsets: Collection[str] | None, name: str) -> bool:
    """The same of a tool; another package's belongs to no stage."""
    op = CATALOGUE.get(name)
    return toolsets is None if op is None else covers(toolsets, op)


def _refuse_outside(toolsets: Collection[str] | None, name: str) -> None:
    if _covers_name(toolsets, name):
        return
    op = CATALOGUE.get(name)
    if op is None and toolsets is not None:
        raise MCPError(
            INVALID_PARAMS,
            f"This token's toolsets have no tool of that name: {', '.join(toolsets)}.",
        )
    if op is not None:
        raise MCPError(
            INVALID_PARAMS,
            f"{op.name} is not in this token's toolsets: {', '.join(toolsets or ())}. "
            f"A token with `{op.stage}` in its toolsets may call it.",
        )
