"""The protocol's methods beside tools, bound to the SDK's server.

`MCPServer` offers resources and prompts as functions that do not learn who asks for a list, so the
methods are served one level below it. What others put into `MCPServer`, as an extension's `ui://`
resources, is still there: what is not ours goes on to the handler that was there before.
"""

from dataclasses import dataclass
from typing import Any

from mcp.server.caching import CacheHint
from mcp.types import (
    CompleteRequestParams,
    CompleteResult,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    PromptReference,
    ReadResourceRequestParams,
    ReadResourceResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from mcp_server import completions, prompts, resource_list, resources, sessions, subscriptions
from mcp_server.others import Others
from mcp_server.param_headers import only_with_headers
from mcp_server.reading import Ctx, Reader
from mcp_server.watching import MOST

# What is listed may depend on who asks, so nothing may be shared between callers.
LISTING = CacheHint(ttl_ms=300_000, scope="private")
HINTS: dict[Any, CacheHint] = {
    "tools/list": LISTING,
    "prompts/list": LISTING,
    "resources/templates/list": LISTING,
    "resources/list": CacheHint(ttl_ms=resources.KEEPS_MS, scope="private"),
    "resources/read": CacheHint(ttl_ms=0, scope="private"),
}


def serve(reader: Reader, others: Others) -> None:
    """Serve the methods beside tools on the server of `others`."""
    methods = Methods(reader, others)
    lower = others.server._lowlevel_server  # the SDK has no public name for it
    for name, params, handler in (
        ("resources/list", PaginatedRequestParams, methods.list_resources),
        ("resources/templates/list", PaginatedRequestParams, methods.list_templates),
        ("resources/read", ReadResourceRequestParams, methods.read_resource),
        ("resources/subscribe", SubscribeRequestParams, methods.subscribe),
        ("resources/unsubscribe", UnsubscribeRequestParams, sessions.unsubscribe),
        ("subscriptions/listen", SubscriptionsListenRequestParams, methods.listen),
        ("prompts/list", PaginatedRequestParams, methods.list_prompts),
        ("prompts/get", GetPromptRequestParams, methods.get_prompt),
        ("completion/complete", CompleteRequestParams, methods.complete),
    ):
        lower.add_request_handler(name, params, handler)  # type: ignore[arg-type]
    if lower.get_tool_input_schema is not None:
        lower.get_tool_input_schema = only_with_headers(lower.get_tool_input_schema)


@dataclass(frozen=True)
class Methods:
    """One handler a method."""

    reader: Reader
    others: Others

    async def list_resources(self, ctx: Ctx, params: PaginatedRequestParams) -> ListResourcesResult:
        theirs = (await self.others.answer("resources/list", ctx)).resources
        rows, on = await resource_list.page(self.reader, ctx, params.cursor, theirs)
        return ListResourcesResult(resources=rows, next_cursor=on)

    async def list_templates(
        self, ctx: Ctx, _: PaginatedRequestParams
    ) -> ListResourceTemplatesResult:
        theirs = (await self.others.answer("resources/templates/list", ctx)).resource_templates
        rows = [*resources.templates(await self.reader.view(ctx)), *theirs]
        return ListResourceTemplatesResult(resource_templates=rows)

    async def read_resource(
        self, ctx: Ctx, params: ReadResourceRequestParams
    ) -> ReadResourceResult | InputRequiredResult:
        if params.uri.partition(":")[0] in resources.SCHEMES:
            return await resources.read(self.reader, ctx, params.uri)
        found: ReadResourceResult | InputRequiredResult
        found = await self.others.answer("resources/read", ctx, params)
        return found

    async def subscribe(self, ctx: Ctx, params: SubscribeRequestParams) -> EmptyResult:
        if await self.others.have(ctx, params.uri):
            return await sessions.subscribe_theirs(self.reader, ctx, params.uri, self.others.bus)
        return await sessions.subscribe(self.reader, ctx, params)

    async def listen(
        self, ctx: Ctx, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        wanted = (params.notifications.resource_subscriptions or [])[: MOST + 1]
        theirs = [uri for uri in wanted if await self.others.have(ctx, uri)]
        return await subscriptions.listen(self.reader, self.others, ctx, params, theirs)

    async def list_prompts(self, ctx: Ctx, _: PaginatedRequestParams) -> ListPromptsResult:
        theirs = (await self.others.answer("prompts/list", ctx)).prompts
        ours = [p.listed() for p in prompts.offered(await self.reader.view(ctx))]
        return ListPromptsResult(prompts=[*ours, *theirs])

    async def get_prompt(
        self, ctx: Ctx, params: GetPromptRequestParams
    ) -> GetPromptResult | InputRequiredResult:
        if await self.others.have_prompt(ctx, params.name):
            found: GetPromptResult | InputRequiredResult
            found = await self.others.answer("prompts/get", ctx, params)
            return found
        return await prompts.get(self.reader, ctx, params.name, params.arguments)

    async def complete(self, ctx: Ctx, params: CompleteRequestParams) -> CompleteResult:
        ref = params.ref
        theirs = (
            await self.others.have_prompt(ctx, ref.name)
            if isinstance(ref, PromptReference)
            else await self.others.have(ctx, ref.uri)
        )
        if theirs:  # nobody but them knows
            return CompleteResult(completion=completions.NONE)
        return await completions.complete(self.reader, ctx, params)
