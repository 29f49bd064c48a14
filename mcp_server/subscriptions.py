"""Telling clients that a resource, or a list, is another one.

Clients of 2026-07-28 open a stream (`subscriptions/listen`) and hear what they asked for, as far as
they may read it; for older ones see `sessions`. What another package has added is told of when it
says so itself (`ctx.notify_resource_updated`).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware
from mcp.server.subscriptions import ListenHandler, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ServerEvent
from mcp.types import (
    SubscriptionFilter,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)

from databits.errors import DatabitsError
from mcp_server import sessions
from mcp_server.others import Others
from mcp_server.reading import Ctx, Reader
from mcp_server.waits import (
    PROMPTS,
    RESOURCES,
    TOOLS,
    can_be_told,
    event_of,
    watch_of,
    watcher_of,
)
from mcp_server.watching import MOST, Watch, Watcher

_READ = {"tools/list": TOOLS, "prompts/list": PROMPTS, "resources/list": RESOURCES}


def told_of_lists(reader: Reader, lists_change: bool) -> ServerMiddleware[Any]:
    """A server's middleware: it claims to tell of the lists that it does tell of, and remembers who
    has read one.

    Args:
        lists_change: Another package may add tools and prompts while the server runs.
    """

    async def tell(ctx: Ctx, call_next: CallNext) -> HandlerResult:
        found = await call_next(ctx)
        if ctx.method in _READ:
            await sessions.has_read(reader, ctx, _READ[ctx.method])
        if ctx.method not in ("initialize", "server/discover") or not isinstance(found, dict):
            return found
        told = can_be_told(ctx)
        claims = {name: dict(said) for name, said in found["capabilities"].items()}
        claims["resources"] |= {"subscribe": told, "listChanged": told}
        for name in (TOOLS, PROMPTS):
            roles = told and reader.roles_change
            claims[name]["listChanged"] = roles or (lists_change and claims[name]["listChanged"])
        return {**found, "capabilities": claims}

    return tell


@dataclass
class _Stream:
    """One client's stream, as the SDK's handler sees it: where its events come from."""

    watcher: Watcher
    who: str
    bus: SubscriptionBus
    """Where others say what has changed."""
    watches: dict[str, Watch] = field(default_factory=dict)

    async def publish(self, event: ServerEvent) -> None:
        """Nobody publishes here: the watches are this stream's own."""

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        for key, watch in self.watches.items():
            event = event_of(key)

            async def tell(event: ServerEvent = event) -> None:
                listener(event)

            watch.tell = tell
        ends = self.watcher.add(self.who, self.watches.values()), self.bus.subscribe(listener)

        def end() -> None:
            for release in ends:
                release()

        return end


async def listen(
    reader: Reader,
    others: Others,
    ctx: Ctx,
    params: SubscriptionsListenRequestParams,
    theirs: Collection[str],
) -> SubscriptionsListenResult:
    """Serve one stream. What does not exist or may not be read is not among what it acknowledges.

    Args:
        theirs: Those of the addresses that other packages read.

    Raises:
        MCPError: when the caller waits for too much.
    """
    wanted = params.notifications
    stream = _Stream(watcher_of(ctx), reader.actor(ctx).name, others.bus)
    keys = list(dict.fromkeys(wanted.resource_subscriptions or ()))[: MOST + 1]
    roles = reader.roles_change
    lists = {
        TOOLS: wanted.tools_list_changed and roles,
        PROMPTS: wanted.prompts_list_changed and roles,
        RESOURCES: wanted.resources_list_changed,
    }
    own = [key for key in keys if key not in theirs]
    for key in [*own, *(name for name, asked in lists.items() if asked)]:
        try:
            watch = watch_of(reader, ctx, key)
            await stream.watcher.first_look(watch)
        except (MCPError, DatabitsError):
            continue
        stream.watches[key] = watch
    told, either = stream.watches, others.lists_change
    honored = SubscriptionFilter(
        tools_list_changed=(wanted.tools_list_changed and (either or TOOLS in told)) or None,
        prompts_list_changed=(wanted.prompts_list_changed and (either or PROMPTS in told)) or None,
        resources_list_changed=True if RESOURCES in told else None,
        resource_subscriptions=[key for key in keys if key in told or key in theirs] or None,
    )
    serve = ListenHandler(stream, max_buffered_events=2 * MOST)
    return await serve(ctx, params.model_copy(update={"notifications": honored}))
