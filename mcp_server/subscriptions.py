"""Telling clients that a resource, or the list of resources, is another one.

Clients of 2026-07-28 open a stream (`subscriptions/listen`) and hear what they asked for, as far as
they may read it; older ones subscribe to single addresses, and hear of the list from when they have
read it. Lists of tools, prompts and templates stay as they are while a server runs.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult
from mcp.server.subscriptions import ListenHandler
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


async def honest(ctx: Ctx, call_next: CallNext) -> HandlerResult:
    """A server's middleware: it claims to tell of the changes that it does tell of."""
    found = await call_next(ctx)
    if ctx.method not in ("initialize", "server/discover") or not isinstance(found, dict):
        return found
    told = can_be_told(ctx)
    claims = {name: dict(said) for name, said in found["capabilities"].items()}
    claims["tools"]["listChanged"] = claims["prompts"]["listChanged"] = False
    claims["resources"] |= {"subscribe": told, "listChanged": told}
    return {**found, "capabilities": claims}


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
    watches: dict[str, Watch] = field(default_factory=dict)

    async def publish(self, event: ServerEvent) -> None:
        """Nobody publishes here: the watches are this stream's own."""

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        for key, watch in self.watches.items():
            event = ResourcesListChanged() if key == LIST else ResourceUpdated(uri=key)

            async def tell(event: ServerEvent = event) -> None:
                listener(event)

            watch.tell = tell
        return self.watcher.add(self.who, self.watches.values())


async def listen(
    reader: Reader, ctx: Ctx, params: SubscriptionsListenRequestParams
) -> SubscriptionsListenResult:
    """Serve one stream. What does not exist or may not be read is not among what it acknowledges.

    Raises:
        MCPError: when the caller waits for too much.
    """
    wanted = params.notifications
    stream = _Stream(_watcher(ctx), reader.actor(ctx).name)
    keys = list(dict.fromkeys(wanted.resource_subscriptions or ()))[: MOST + 1]
    for key in [*keys, *([LIST] if wanted.resources_list_changed else [])]:
        try:
            watch = _watch(reader, ctx, key)
            await stream.watcher.first_look(watch)
        except (MCPError, DatabitsError):
            continue
        stream.watches[key] = watch
    uris = [key for key in stream.watches if key != LIST]
    honored = SubscriptionFilter(
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
