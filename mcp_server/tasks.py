"""Long work as tasks, for clients that know the extension `io.modelcontextprotocol/tasks` (SEP-2663).

A tool that leaves work behind names it in the `_meta` of its result, under `TASK`. A client that
declares the extension with the call then gets a handle in place of the result, and asks for the
result with `tasks/get`; any other client gets what the tool has returned.

Where tasks are kept is a `Source`'s business: ours are the durable runs (`run_tasks`); a package
that adds tools of its own may add a source of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp.types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ErrorData,
    RequestParams,
)

from databits.errors import DatabitsError
from mcp_server.reading import Ctx, protocol_error

IDENTIFIER = "io.modelcontextprotocol/tasks"
TASK = "databits/task"
"""The key, in the `_meta` of a tool's result, of the id of the task that goes on after it."""

Status = Literal["working", "input_required", "completed", "failed", "cancelled"]

# Earlier clients speak another kind of tasks, which was an experiment and is gone.
_VERSIONS = frozenset({"2026-07-28"})
_EMPTY = {"resultType": "complete"}


@dataclass(frozen=True)
class Task:
    """A piece of work that goes on, as its source knows it now."""

    id: str
    status: Status
    created_at: datetime
    updated_at: datetime
    message: str = ""
    ttl_ms: int | None = None
    """How long it is kept from its creation on; None: for good."""
    poll_ms: int = 500
    result: CallToolResult | None = None
    """Of a completed one, with `is_error` where the tool has failed."""
    error: ErrorData | None = None
    """Of a failed one: the call itself went wrong, so that there is no result."""
    questions: Mapping[str, Any] | None = None
    """Requests to the client, by key, that one waits for whose status is input_required."""


class Source(Protocol):
    """Where tasks are kept."""

    async def find(self, ctx: Ctx, task_id: str) -> Task | None:
        """A task of this caller; None when it is nobody's, or somebody else's.

        Raises:
            DatabitsError: with a text for the caller.
        """
        ...

    async def answer(self, ctx: Ctx, task_id: str, answers: Mapping[str, Any]) -> None:
        """Take answers to open questions of a task that was found, and ignore all others."""
        ...

    async def cancel(self, ctx: Ctx, task_id: str) -> None:
        """Stop a task that was found; one that has ended stays as it is.

        Raises:
            DatabitsError: when this caller may not.
        """
        ...


class _Named(RequestParams):
    task_id: str


class _Answers(_Named):
    input_responses: dict[str, Any]


class Tasks(Extension):
    """The extension; tools need not know of it."""

    identifier = IDENTIFIER

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = list(sources)

    def methods(self) -> Sequence[MethodBinding]:
        return [
            MethodBinding("tasks/get", _Named, self.get, protocol_versions=_VERSIONS),
            MethodBinding("tasks/update", _Answers, self.update, protocol_versions=_VERSIONS),
            MethodBinding("tasks/cancel", _Named, self.cancel, protocol_versions=_VERSIONS),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Ctx, call_next: CallNext
    ) -> HandlerResult:
        result = await call_next(ctx)
        task_id = _left_behind(result)
        if task_id is None or not declares_tasks(ctx):
            return result
        _, task = await self._find(ctx, task_id)
        return {"resultType": "task", **_handle(task)}

    async def get(self, ctx: Ctx, params: _Named) -> HandlerResult:
        """The task as it stands, with its result once it has one."""
        _, task = await self._asked_for(ctx, params)
        return {**_EMPTY, **_handle(task), **_payload(task)}

    async def update(self, ctx: Ctx, params: _Answers) -> HandlerResult:
        """Hand answers to the task; what it makes of them shows in the next `get`."""
        source, _ = await self._asked_for(ctx, params)
        await source.answer(ctx, params.task_id, params.input_responses)
        return _EMPTY

    async def cancel(self, ctx: Ctx, params: _Named) -> HandlerResult:
        """Stop the task soon; whether it still ended otherwise shows in the next `get`."""
        source, _ = await self._asked_for(ctx, params)
        try:
            await source.cancel(ctx, params.task_id)
        except DatabitsError as error:
            raise protocol_error(error) from None
        return _EMPTY

    async def _asked_for(self, ctx: Ctx, params: _Named) -> tuple[Source, Task]:
        require_client_extension(ctx, IDENTIFIER)
        _check_routing(ctx, params.task_id)
        return await self._find(ctx, params.task_id)

    async def _find(self, ctx: Ctx, task_id: str) -> tuple[Source, Task]:
        for source in self.sources:
            try:
                task = await source.find(ctx, task_id)
            except DatabitsError as error:
                raise protocol_error(error) from None
            if task is not None:
                return source, task
        raise MCPError(
            INVALID_PARAMS,
            "Not found: you have no task of that id. list_runs shows the runs there are.",
            {"taskId": task_id},
        )


async def listening(ctx: Ctx, call_next: CallNext) -> HandlerResult:
    """A server's middleware: to listen for tasks takes a client that knows them, as all else does.

    No news of tasks is sent: the acknowledgement of the stream names none, so clients go on asking.
    """
    if ctx.method == "subscriptions/listen":
        wanted = (ctx.params or {}).get("notifications")
        if isinstance(wanted, Mapping) and wanted.get("taskIds"):
            require_client_extension(ctx, IDENTIFIER)
    return await call_next(ctx)


def declares_tasks(ctx: Ctx) -> bool:
    """Whether this very request says that its client takes a task for a result."""
    declared = ctx.session.client_capabilities
    return ctx.protocol_version in _VERSIONS and IDENTIFIER in (
        (declared.extensions if declared else None) or {}
    )


def _left_behind(result: HandlerResult) -> str | None:
    """The id of the task that a tool's result names."""
    if not isinstance(result, CallToolResult) or result.is_error or not result.meta:
        return None
    found = result.meta.get(TASK)
    return found if isinstance(found, str) else None


def _check_routing(ctx: Ctx, task_id: str) -> None:
    """Over HTTP the id stands in a header too, for what routes requests to say nothing else."""
    headers = getattr(ctx.request, "headers", None)
    if headers is not None and decode_header_value(headers.get(MCP_NAME_HEADER)) != task_id:
        raise MCPError(HEADER_MISMATCH, "The header Mcp-Name must be the same as taskId.")


def _handle(task: Task) -> dict[str, Any]:
    said = {"statusMessage": task.message} if task.message else {}
    return {
        "taskId": task.id,
        "status": task.status,
        **said,
        "createdAt": _moment(task.created_at),
        "lastUpdatedAt": _moment(task.updated_at),
        "ttlMs": task.ttl_ms,
        "pollIntervalMs": task.poll_ms,
    }


def _payload(task: Task) -> dict[str, Any]:
    """What a task of its status carries beside the handle."""
    if task.status == "completed" and task.result is not None:
        return {"result": task.result.model_dump(by_alias=True, mode="json", exclude_none=True)}
    if task.status == "failed" and task.error is not None:
        return {"error": task.error.model_dump(by_alias=True, mode="json", exclude_none=True)}
    if task.status == "input_required":
        return {"inputRequests": dict(task.questions or {})}
    return {}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
