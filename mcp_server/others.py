"""What other packages have put into the SDK's server: their resources, templates and prompts."""

from dataclasses import dataclass, field
from typing import Any

from mcp.server import MCPServer
from mcp.server.lowlevel.server import HandlerEntry
from mcp.server.subscriptions import SubscriptionBus
from mcp.shared.uri_template import UriTemplate
from mcp.types import PaginatedRequestParams

from mcp_server.reading import Ctx

_METHODS = (
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
)
_NONE = PaginatedRequestParams()


@dataclass
class Others:
    """The server as it was before ours: what is not ours goes on to it."""

    server: MCPServer[Any]
    bus: SubscriptionBus
    """Where they say that something of theirs is another one (`ctx.notify_resource_updated`)."""
    lists_change: bool
    """Whether there is anybody who may add tools and prompts while the server runs."""
    _before: dict[str, HandlerEntry[Any]] = field(init=False)

    def __post_init__(self) -> None:
        entries = {m: self.server._lowlevel_server.get_request_handler(m) for m in _METHODS}
        # MCPServer registers them all
        self._before = {m: entry for m, entry in entries.items() if entry is not None}

    async def answer(self, method: str, ctx: Ctx, params: Any = _NONE) -> Any:
        return await self._before[method].handler(ctx, params)

    async def have(self, ctx: Ctx, uri: str) -> bool:
        """Whether they read an address, or offer a template that is just that."""
        listed = await self.answer("resources/list", ctx)
        offered = await self.answer("resources/templates/list", ctx)
        templates = [t.uri_template for t in offered.resource_templates]
        return uri in [*(r.uri for r in listed.resources), *templates] or any(
            UriTemplate.parse(template).match(uri) is not None for template in templates
        )

    async def have_prompt(self, ctx: Ctx, name: str) -> bool:
        listed = await self.answer("prompts/list", ctx)
        return name in {prompt.name for prompt in listed.prompts}
