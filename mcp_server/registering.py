"""The server's own tools in the registry of tools: which there are, and the hash of what each is.

It happens in the background, once a process, after its first call: listing tools opens no database.
Where nothing changed since, nothing is written.
"""

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version
from threading import Lock, Thread
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware
from mcp.types import Tool

from databits.actor import ROLES, Actor
from databits.errors import DatabitsError
from databits.model import Page, every
from databits.operation import CATALOGUE
from databits.ports import Runner
from databits.settings import Settings
from mcp_server.arguments import model_schema
from mcp_server.long_tail import long_tail
from mcp_server.server import annotations, output_schema
from mcp_server.surface import Request, Surface
from mcp_server.tools.registry.list_assets import Asset
from mcp_server.tools.registry.register_tool import ToolDefinition, definition_of

log = logging.getLogger("databits.mcp")
SERVER = "databits"


def own_tools(
    runner: Runner, settings: Settings, *, read_only: bool = False
) -> list[ServerMiddleware[Any]]:
    """What enters the server's tools; nothing where the server may change nothing."""
    below = ROLES.index(settings.role) < ROLES.index("engineer")
    if read_only or settings.read_only or below:
        return []
    return [_AfterFirstCall(lambda: enter(runner, every_tool()))]


def enter(runner: Runner, tools: Sequence[Tool]) -> None:
    """Register the tools whose definitions are not the ones that are registered."""
    me = Actor(
        SERVER,
        "engineer",
        "mcp",
        client=f"databits {version('databits-workbench')}",
        limit="engineer",
        service=True,
    )
    sent = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    made = [definition_of(ToolDefinition.model_validate(one)) for one in sent]
    now = {one.name: one.sha256 for one in made}
    if _registered(runner, me) != now:
        runner.run("register_tool", {"server": SERVER, "tools": sent, "whole": True}, me)


def _registered(runner: Runner, me: Actor) -> dict[str, str]:
    """Name → hash of the tools of this server that the registry has."""

    def page(after: int) -> Page[Asset]:
        asked = {"kind": "tool", "after": after, "limit": 200}
        return cast(Page[Asset], runner.run("list_assets", asked, me))

    found: dict[str, str] = {}
    for row in every(page):
        server, _, name = row.asset.removeprefix("tool:").partition("/")
        if server == SERVER:
            found[name.rpartition("@")[0]] = row.sha256
    return found


def every_tool() -> list[Tool]:
    """Every tool that the server can list, without what surfaces say to each other of it (`_meta`)."""
    operations = [
        Tool(
            name=op.name,
            title=op.title,
            description=op.description,
            input_schema=model_schema(op),
            output_schema=output_schema(op),
            annotations=annotations(op),
        )
        for op in CATALOGUE.values()
        if not op.people_only
    ]
    more = [
        Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=tool.parameters,
            output_schema=tool.output_schema,
            annotations=tool.annotations,
        )
        for tool in long_tail(Surface())
    ]
    return [*operations, *more]


class _AfterFirstCall:
    """A server's middleware that does one thing once, in a thread, when a call has been answered."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self._lock = Lock()

    async def __call__(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        found = await call_next(ctx)
        if ctx.method == "tools/call" and self._lock.acquire(blocking=False):  # never released
            Thread(target=self._run, name="own-tools", daemon=True).start()
        return found

    def _run(self) -> None:
        try:
            self._do()
        except DatabitsError as error:
            log.info("the server's tools are not registered: %s", error)
        except Exception:
            log.exception("the server's tools are not registered")
