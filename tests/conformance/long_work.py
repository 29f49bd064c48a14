"""Long work as the conformance suite names it (SEP-2663).

What can be a durable run is one: `slow_compute` is an operation of the catalogue like ours, and
`failing_job` and `test_tool_with_task` begin runs of other operations, so that the suite sees the
rows, workers and cancellations of the product. What no run of ours ever does, to ask while it
works or to fail without a result, comes from a small source of its own.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from mcp.server.mcpserver import Context, require_client_extension
from mcp.server.mcpserver.tools import Tool
from mcp.types import INTERNAL_ERROR, CallToolResult, ErrorData
from pydantic import Field

from databits.change import Work
from databits.errors import NotReady
from databits.model import Changed, Run
from databits.operation import Operation
from databits.ports import Runner
from mcp_server.confirm import how_to_follow
from mcp_server.handles import leaves
from mcp_server.http import identify_caller
from mcp_server.reading import Ctx as Request
from mcp_server.reply import reply
from mcp_server.tasks import IDENTIFIER, TASK, Task
from mcp_server.threads import in_thread
from tests.conformance.questions import Asked, ask, filled_in, form, text

Ctx = Context[Any, Any]


# operations ---------------------------------------------------------------------------------------


class Computed(Changed):
    label: str


def slow_compute(
    work: Work,
    *,
    seconds: Annotated[float, Field(description="How long it takes")] = 0.0,
    label: Annotated[str, Field(description="What to give back")] = "",
) -> Computed:
    """Take as long as told, then give the label back."""
    began = time.monotonic()
    while (gone := time.monotonic() - began) < seconds:
        time.sleep(0.05)
        work.progress(gone / seconds, f"{gone:.1f} of {seconds:.0f} s")
    return work.commit(lambda _: Computed(label=label))


def fail_later(work: Work) -> Changed:
    """Work for a second, then fail as an operation does."""
    time.sleep(1)
    work.progress(0.5, "about to fail")
    raise NotReady("This is meant to fail.")


def _operation(fn: Callable[..., Any]) -> Operation:
    fn.__module__ = f"conformance.train.{fn.__name__}"  # the stage is the folder of the file
    return Operation(fn, "viewer", "write", job=True)


OPERATIONS = [_operation(slow_compute), _operation(fail_later)]


# a source of tasks that ask -----------------------------------------------------------------------


class Desk:
    """Tasks in memory: each waits for its questions to be answered, then ends as it was told to."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    def begin(self, task: Task) -> CallToolResult:
        self._tasks[task.id] = task
        return CallToolResult(content=[], _meta={TASK: task.id})

    async def find(self, ctx: Request, task_id: str) -> Task | None:
        return self._tasks.get(task_id)

    async def answer(self, ctx: Request, task_id: str, answers: Mapping[str, Any]) -> None:
        task = self._tasks[task_id]
        left = {key: asked for key, asked in (task.questions or {}).items() if key not in answers}
        done = {} if left else {"status": "completed", "result": text("Thank you.")}
        self._tasks[task_id] = replace(task, questions=left, updated_at=_now(), **done)

    async def cancel(self, ctx: Request, task_id: str) -> None:
        task = self._tasks[task_id]
        if task.status == "input_required":
            self._tasks[task_id] = replace(task, status="cancelled", updated_at=_now())


def _now() -> datetime:
    return datetime.now(UTC)


def tools(runner: Runner, desk: Desk) -> list[Tool]:
    """The suite's tools for long work that are not operations themselves."""

    async def begin(name: str, arguments: dict[str, Any], ctx: Ctx) -> CallToolResult:
        run = await in_thread(runner.run, name, arguments, identify_caller(ctx))
        assert isinstance(run, Run)
        return reply(run, how_to_follow(run), leaves(run))

    def asking(name: str, ctx: Ctx, **questions: Any) -> CallToolResult:
        asked = {key: q.model_dump(by_alias=True, mode="json") for key, q in questions.items()}
        task_id = f"{name}-{ctx.request_id}-{time.monotonic_ns()}"
        task = Task(task_id, "input_required", _now(), _now(), ttl_ms=60_000, questions=asked)
        return desk.begin(task)

    async def greet(name: str) -> CallToolResult:
        """Greets at once."""
        return text(f"Hello, {name}!")

    async def failing_job(ctx: Ctx) -> CallToolResult:
        """Fails after a second; only for clients that know tasks."""
        require_client_extension(ctx.request_context, IDENTIFIER)
        return await begin("fail_later", {}, ctx)

    async def protocol_error_job(ctx: Ctx) -> CallToolResult:
        """Ends without a result."""
        error = ErrorData(code=INTERNAL_ERROR, message="It crashed.")
        task_id = f"protocol_error_job-{time.monotonic_ns()}"
        return desk.begin(Task(task_id, "failed", _now(), _now(), ttl_ms=60_000, error=error))

    async def confirm_delete(filename: str, ctx: Ctx) -> CallToolResult:
        """Asks while it works."""
        return asking("confirm_delete", ctx, confirm=form(f"Delete {filename}?", confirm="boolean"))

    async def multi_input(ctx: Ctx) -> CallToolResult:
        """Asks two things while it works."""
        return asking(
            "multi_input", ctx, one=form("One?", name="string"), two=form("Two?", name="string")
        )

    async def test_tool_with_task(ctx: Ctx) -> Asked:
        """Asks first, then begins long work."""
        require_client_extension(ctx.request_context, IDENTIFIER)
        entered = filled_in(ctx, "user_name")
        if entered is None:
            return ask(user_name=form("What is your name?", name="string"))
        return await begin("slow_compute", {"label": f"Hello, {entered['name']}!"}, ctx)

    functions = (
        greet,
        failing_job,
        protocol_error_job,
        confirm_delete,
        multi_input,
        test_tool_with_task,
    )
    return [Tool.from_function(fn, structured_output=False) for fn in functions]
