"""A client that knows tasks, as the SDK lets one be written: it polls for results by itself, or hands out handles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import anyio
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp.types import CallToolResult, Request, Result
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from databits.settings import Settings
from mcp_server.auth import local_actor
from mcp_server.tasks import IDENTIFIER
from tests.conftest import TICKETS

ENDED = ("completed", "failed", "cancelled")
PRELABEL = "prelabel_items", {"databit": "support"}
ASSEMBLE = "assemble_dataset", {"databit": "support"}


class Handle(Result):
    """A task in place of a result."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    result_type: Literal["task"]
    task_id: str
    status: str


class Anything(Result):
    """An answer, with every field as it came."""

    model_config = ConfigDict(extra="allow")

    def fields(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class TaskRequest(Request[dict[str, Any], str]):
    name_param = "taskId"


async def ask(session: ClientSession, verb: str, task_id: str, **params: Any) -> dict[str, Any]:
    """`tasks/<verb>` about a task."""
    request = TaskRequest(method=f"tasks/{verb}", params={"taskId": task_id, **params})
    return (await session.send_request(request, Anything)).fields()


async def ended(session: ClientSession, task_id: str) -> dict[str, Any]:
    """The task once it has ended."""
    while (found := await ask(session, "get", task_id))["status"] not in ENDED:
        await anyio.sleep(0.05)
    return found


class Follows(ClientExtension):
    """Takes a task for a result, and waits for what it becomes."""

    identifier = IDENTIFIER

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Handle, resolve=_wait)]


async def _wait(handle: Handle, ctx: ClaimContext) -> CallToolResult:
    done = await ended(ctx.session, handle.task_id)
    return CallToolResult.model_validate(done["result"], by_name=False)


async def begin(client: Client, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool and take the handle as it came."""
    result = await client.session.call_tool(name, arguments, allow_claimed=True)
    assert isinstance(result, Handle), result
    return cast(dict[str, Any], result.model_dump(by_alias=True, mode="json"))


def prepare(runner: Any, settings: Settings, folder: Path) -> None:
    """Eighteen tickets, every one approved under its label, in the Databit `support`."""
    me = local_actor(settings, "test")
    lines = ["text,topic", *(f'"{text}",{topic}' for text, topic in TICKETS)]
    (folder / "tickets.csv").write_text("\n".join(lines), encoding="utf-8")
    labels = ["billing", "login", "shipping"]
    for name, arguments in (
        ("import_files", {"path": str(folder / "tickets.csv")}),
        ("create_databit", {"name": "support", "labels": labels}),
        ("queue_items", {"databit": "support", "source": "tickets"}),
    ):
        runner.run(name, arguments, me)
    for label in labels:
        ids = [n for n, (_, topic) in enumerate(TICKETS, 1) if topic == label]
        said = {"databit": "support", "items": ids, "label": label}
        runner.run("correct_labels", said, me)
