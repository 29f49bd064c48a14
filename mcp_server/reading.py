"""How resources, prompts and completions look at the workbench: as a tool call of the caller would.

Every read is an operation of the catalogue, run for the caller, so roles, grants on single Databits,
toolsets and the audit trail hold here as they do for tools.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import BaseModel

from databits.actor import Actor
from databits.errors import DatabitsError, Invalid, NotFound
from databits.operation import CATALOGUE
from databits.ports import Runner
from mcp_server.auth import Identify
from mcp_server.surface import Surface, View
from mcp_server.threads import in_thread

Ctx = ServerRequestContext[Any, Any]


@dataclass(frozen=True)
class Reader:
    """Reads for whoever asks."""

    runner: Runner
    identify: Identify
    surface: Surface
    """What the caller of a request may use of it."""
    renew: Identify | None = None
    """Says later who a request came from, or that they may not come in any more."""

    def actor(self, ctx: Ctx) -> Actor:
        return self.identify(Context(request_context=ctx))

    def again(self, ctx: Ctx) -> Actor:
        """Who the caller of an earlier request is by now; it may read the database.

        Raises:
            NotAllowed: when their token has expired or was revoked.
        """
        found = (self.renew or self.identify)(Context(request_context=ctx))
        return replace(found, person=False, trace=None)  # no call is going on by now

    @property
    def roles_change(self) -> bool:
        """Whether what a caller sees may change while the server runs, with a grant."""
        return self.renew is not None

    def limits(self, ctx: Ctx) -> View:
        """What the caller may use, whatever their role."""
        return self.surface.limits(ctx)

    async def view(self, ctx: Ctx) -> View:
        """What the caller may use in their role."""
        return await self.surface.view(ctx)

    def offers(self, ctx: Ctx, name: str) -> bool:
        """Whether an operation is within what this server and the request are limited to."""
        op = CATALOGUE.get(name)
        return op is not None and self.surface.limits(ctx).refusal(op) is None

    async def read(self, ctx: Ctx, name: str, arguments: Mapping[str, Any]) -> BaseModel:
        """What a read operation gives the caller.

        Raises:
            DatabitsError: as the operation does.
        """
        return await in_thread(self.runner.run, name, arguments, self.actor(ctx))


def protocol_error(error: DatabitsError, **data: Any) -> MCPError:
    """An anticipated failure as the protocol's; its text says what exists or what to do next.

    What does not exist is -32602, as the protocol has it for resources since 2026-07-28.
    """
    code = INVALID_PARAMS if isinstance(error, NotFound | Invalid) else INTERNAL_ERROR
    return MCPError(code, f"{error.phrase}: {error}", {"kind": error.phrase, **data})
