"""Telling clients that a resource, or the list of resources, is another one.

Clients of 2026-07-28 open a stream (`subscriptions/listen`) and hear what they asked for, as far as
they may read it; older ones subscribe to single addresses, and hear of the list from when they have
read it. Lists of tools, prompts and templates stay as they are while a server runs. What another
package has added is told of when it says so itself (`ctx.notify_resource_updated`).
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware
from mcp.server.subscriptions import ListenHandler, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp.types import (
    INVALID_REQUEST,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionFilter,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from mcp_types.version import is_version_at_least

from databits.actor import Actor
from databits.errors import DatabitsError
from mcp_server import resource_list, resources
from mcp_server.others import Others
from mcp_server.reading import Ctx, Reader, protocol_error
from mcp_server.watching import LIST_PACE_S, MOST, PACE_S, Known, Watch, Watcher

LISTENS = "2026-07-28"
"""From this version on, clients hear of changes on a stream that they open."""
LIST = "list"
_STATE = "databits.waits"
NO_SESSION = (
    "Not ready: this server keeps no sessions, so there is nothing to tell older clients by. "
    "Clients that speak 2026-07-28 can listen; others read again, or call get_run with wait_s."
)


def speaks_listening(ctx: Ctx) -> bool:
    return is_version_at_least(ctx.protocol_version, LISTENS)


def can_be_told(ctx: Ctx) -> bool:
    """Whether there is a way to a client between its requests."""
    # Over HTTP an older client has one only within a session.
    return speaks_listening(ctx) or ctx.request is None or _connection(ctx).session_id is not None


def _connection(ctx: Ctx) -> Connection:
    # The SDK means it for this ("push cleanup from handlers"), and has no public way to it yet.
    return ctx.session._connection


def honest(lists_change: bool) -> ServerMiddleware[Any]:
    """A server's middleware: it claims to tell of the changes that it does tell of.

    Args:
        lists_change: Another package may add tools and prompts while the server runs.
    """

    async def claim(ctx: Ctx, call_next: CallNext) -> HandlerResult:
        found = await call_next(ctx)
        if ctx.method not in ("initialize", "server/discover") or not isinstance(found, dict):
            return found
        told = can_be_told(ctx)
        claims = {name: dict(said) for name, said in found["capabilities"].items()}
        if not lists_change:
            claims["tools"]["listChanged"] = claims["prompts"]["listChanged"] = False
        claims["resources"] |= {"subscribe": told, "listChanged": told}
        return {**found, "capabilities": claims}

    return claim


# what is waited for -----------------------------------------------------------------------


def _watch(reader: Reader, ctx: Ctx, key: str) -> Watch:
    """What makes a resource, or the list of them, another one.

    Raises:
        MCPError: for no address of ours, or one outside of the toolsets.
    """
    run = reader.runner.run
    if key == LIST:
        offered = {name for name in resource_list.LISTS if reader.offers(ctx, name)}

        def read(actor: Actor) -> str:
            return resource_list.listing(lambda name, said: run(name, said, actor), offered)
    else:
        address, arguments = resources.find(key)
        resources.refuse_outside(reader, ctx, address, key)

        def read(actor: Actor) -> str:
            return resources.text_of(address, run(address.operation, arguments, actor))

    def look(known: Known) -> str:
        actor = reader.again(ctx)
        if (key, actor) not in known:
            known[key, actor] = hashlib.sha256(read(actor).encode()).hexdigest()
        return known[key, actor]

    async def untold() -> None:
        return None

    return Watch(look, untold, PACE_S)


def _watcher(ctx: Ctx) -> Watcher:
    found = ctx.lifespan_context
    assert isinstance(found, Watcher)
    return found


# 2026-07-28 -------------------------------------------------------------------------------


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
            event = ResourcesListChanged() if key == LIST else ResourceUpdated(uri=key)

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
    stream = _Stream(_watcher(ctx), reader.actor(ctx).name, others.bus)
    keys = list(dict.fromkeys(wanted.resource_subscriptions or ()))[: MOST + 1]
    own = [key for key in keys if key not in theirs]
    for key in [*own, *([LIST] if wanted.resources_list_changed else [])]:
        try:
            watch = _watch(reader, ctx, key)
            await stream.watcher.first_look(watch)
        except (MCPError, DatabitsError):
            continue
        stream.watches[key] = watch
    uris = [key for key in keys if key in stream.watches or key in theirs]
    honored = SubscriptionFilter(
        tools_list_changed=(wanted.tools_list_changed and others.lists_change) or None,
        prompts_list_changed=(wanted.prompts_list_changed and others.lists_change) or None,
        resources_list_changed=True if LIST in stream.watches else None,
        resource_subscriptions=uris or None,
    )
    serve = ListenHandler(stream, max_buffered_events=2 * MOST)
    return await serve(ctx, params.model_copy(update={"notifications": honored}))


# before that ------------------------------------------------------------------------------

_Waits = dict[str, Callable[[], None]]


def _waits(ctx: Ctx) -> _Waits:
    """What a connection waits for, by address; it all ends with the connection."""
    connection = _connection(ctx)
    if _STATE not in connection.state:
        waits: _Waits = {}

        def end() -> None:
            for release in waits.values():
                release()

        connection.state[_STATE] = waits
        connection.exit_stack.callback(end)
    found: _Waits = connection.state[_STATE]
    return found


async def subscribe(reader: Reader, ctx: Ctx, params: SubscribeRequestParams) -> EmptyResult:
    """Tell an older client of a resource from now on.

    Raises:
        MCPError: when there is no such resource, or no way to tell.
    """
    if not can_be_told(ctx):
        raise MCPError(INVALID_REQUEST, NO_SESSION)
    await _wait(reader, ctx, params.uri)
    return EmptyResult()


async def subscribe_theirs(reader: Reader, ctx: Ctx, uri: str, bus: SubscriptionBus) -> EmptyResult:
    """Tell an older client of a resource of another package, when that says so.

    Raises:
        MCPError: when there is no way to tell, or the caller waits for too much.
    """
    if not can_be_told(ctx):
        raise MCPError(INVALID_REQUEST, NO_SESSION)
    waits, watcher, session = _waits(ctx), _watcher(ctx), ctx.session
    if uri not in waits:
        counted = watcher.add(reader.actor(ctx).name, [])

        def heard(event: ServerEvent) -> None:
            if event == ResourceUpdated(uri=uri):
                watcher.soon(lambda: session.send_resource_updated(uri))

        over = bus.subscribe(heard)

        def end() -> None:
            counted()
            over()

        waits[uri] = end
    return EmptyResult()


async def unsubscribe(ctx: Ctx, params: UnsubscribeRequestParams) -> EmptyResult:
    release = _waits(ctx).pop(params.uri, None)
    if release is not None:
        release()
    return EmptyResult()


async def has_read_list(reader: Reader, ctx: Ctx) -> None:
    """An older client has read the list of resources: it is told when that is another one."""
    if not speaks_listening(ctx) and can_be_told(ctx):
        try:
            await _wait(reader, ctx, LIST)
        except MCPError:
            return  # it waits for too much already; nobody asked for this


async def _wait(reader: Reader, ctx: Ctx, key: str) -> None:
    waits = _waits(ctx)
    if key in waits:
        return
    watch = _watch(reader, ctx, key)
    session = ctx.session

    async def tell() -> None:
        if key == LIST:
            await session.send_resource_list_changed()
        else:
            await session.send_resource_updated(key)

    watch.tell, watch.pace_s = tell, LIST_PACE_S if key == LIST else PACE_S
    watcher = _watcher(ctx)
    try:
        await watcher.first_look(watch)
    except DatabitsError as error:
        raise protocol_error(error, uri=key) from None
    if key not in waits:  # else it asked twice at once
        waits[key] = watcher.add(reader.actor(ctx).name, [watch])
