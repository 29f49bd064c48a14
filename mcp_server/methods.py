"""The protocol's methods beside tools, bound to the SDK's server.

`MCPServer` offers resources and prompts as functions that do not learn who asks for a list, so the
methods are served one level below it. What others put into `MCPServer`, as an extension's `ui://`
resources, is still there: what is not ours goes on to the handler that was there before.
"""

from typing import Any

from mcp.server import MCPServer
from mcp.server.caching import CacheHint
from mcp.types import (
    EmptyResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from mcp_server import resource_list, resources, subscriptions
from mcp_server.reading import Ctx, Reader

# What is listed may depend on who asks, so nothing may be shared between callers.
LISTING = CacheHint(ttl_ms=300_000, scope="private")
HINTS: dict[Any, CacheHint] = {
    "tools/list": LISTING,
    "prompts/list": LISTING,
    "resources/templates/list": LISTING,
    "resources/list": CacheHint(ttl_ms=resources.KEEPS_MS, scope="private"),
    "resources/read": CacheHint(ttl_ms=0, scope="private"),
}


def serve(server: MCPServer[Any], reader: Reader) -> None:
    """Serve the methods beside tools."""
    lower = server._lowlevel_server  # the SDK has no public name for it
    theirs = {
        name: lower.get_request_handler(name)
        for name in ("resources/list", "resources/templates/list", "resources/read")
    }

    async def before(method: str, ctx: Ctx, params: Any) -> Any:
        entry = theirs[method]
        assert entry is not None  # MCPServer registers all three
        return await entry.handler(ctx, params)

    async def list_resources(ctx: Ctx, params: PaginatedRequestParams) -> ListResourcesResult:
        others = await before("resources/list", ctx, params)
        rows, on = await resource_list.page(reader, ctx, params.cursor, others.resources)
        await subscriptions.has_read_list(reader, ctx)
        return ListResourcesResult(resources=rows, next_cursor=on)

    async def list_templates(
        ctx: Ctx, params: PaginatedRequestParams
    ) -> ListResourceTemplatesResult:
        others = await before("resources/templates/list", ctx, params)
        rows = resources.templates(reader, ctx) + others.resource_templates
        return ListResourceTemplatesResult(resource_templates=rows)

    async def read_resource(ctx: Ctx, params: ReadResourceRequestParams) -> ReadResourceResult:
        if params.uri.partition(":")[0] in resources.SCHEMES:
            return await resources.read(reader, ctx, params.uri)
        found: ReadResourceResult = await before("resources/read", ctx, params)
        return found

    async def subscribe(ctx: Ctx, params: SubscribeRequestParams) -> EmptyResult:
        return await subscriptions.subscribe(reader, ctx, params)

    async def listen(
        ctx: Ctx, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        return await subscriptions.listen(reader, ctx, params)

    lower.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    lower.add_request_handler(
        "resources/unsubscribe", UnsubscribeRequestParams, subscriptions.unsubscribe
    )
    lower.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, listen)
    lower.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    lower.add_request_handler("resources/templates/list", PaginatedRequestParams, list_templates)
    lower.add_request_handler("resources/read", ReadResourceRequestParams, read_resource)
