"""Durable runs as tasks: what `get_run` and `cancel_run` say and do, in the words of the extension.

A task is its caller's own: others may see the run with `get_run`, and have no task. Nothing else
is kept of it: it outlives the connection and the server, and any process that serves the
workspace knows it.
"""

import contextlib
import re
from collections.abc import Mapping
from typing import Any, cast

from mcp.types import CallToolResult, TextContent

from databits.errors import Conflict, NotFound
from databits.model import Run, RunState
from databits.operation import CATALOGUE
from databits.visible import visible
from mcp_server.confirm import Outcome
from mcp_server.handles import id_of
from mcp_server.reading import Ctx, Reader
from mcp_server.reply import reply
from mcp_server.tasks import Status, Task
from mcp_server.threads import in_thread

# A worker writes down how far it is twice a second.
POLL_MS = 500
_ID = re.compile("([1-9][0-9]{0,17})-[0-9a-f]{16}")
_STATUS: dict[RunState, Status] = {
    "queued": "working",
    "running": "working",
    "succeeded": "completed",
    # The call has an outcome, which says what went wrong: "failed" is for calls that have none.
    "failed": "completed",
    "cancelled": "cancelled",
}


class RunTasks:
    """The runs of a workbench, as a source of tasks."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def find(self, ctx: Ctx, task_id: str) -> Task | None:
        run = await self._run(ctx, task_id)
        return None if run is None else as_task(run)

    async def answer(self, ctx: Ctx, task_id: str, answers: Mapping[str, Any]) -> None:
        """A run asks nothing: whoever must agree to it has agreed before it is begun."""

    async def cancel(self, ctx: Ctx, task_id: str) -> None:
        run = await self._run(ctx, task_id)
        if run is None or run.finished_at is not None:
            return
        runner, actor = self._reader.runner, self._reader.actor(ctx)
        with contextlib.suppress(Conflict):  # it has ended since
            await in_thread(runner.run, "cancel_run", {"run": run.id}, actor)

    async def _run(self, ctx: Ctx, task_id: str) -> Run | None:
        """The run, if it is one that this caller has begun, and could begin here."""
        named = _ID.fullmatch(task_id)
        if named is None:
            return None
        try:
            found = await self._reader.read(ctx, "get_run", {"run": int(named[1])})
        except NotFound:
            return None
        run = cast(Run, found)
        if run.actor != self._reader.actor(ctx).name or id_of(run) != task_id:
            return None
        return run if self._reader.offers(ctx, run.operation) else None


def as_task(run: Run) -> Task:
    return Task(
        id=id_of(run),
        status=_STATUS[run.state],
        created_at=run.created_at,
        updated_at=run.updated_at or run.created_at,
        message=_in_words(run),
        poll_ms=POLL_MS,
        result=_result(run) if run.state in ("succeeded", "failed") else None,
    )


def _in_words(run: Run) -> str:
    if run.state == "running":
        return visible(f"{run.progress:.0%}: {run.message}")
    return visible((run.error if run.state in ("failed", "cancelled") else "") or run.message)


def _result(run: Run) -> CallToolResult:
    """What the tool would have returned, had the caller waited for it."""
    if run.state == "failed":
        text = visible(run.error or "Failed: the run says no more.")
        return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
    op = CATALOGUE[run.operation]
    if op.effect == "consequential":
        return reply(Outcome[Any](result=run.result), kind=Outcome[op.output])  # type: ignore[name-defined]
    # The log is for those who watch; get_run has it.
    return reply(run.model_copy(update={"log": []}))
