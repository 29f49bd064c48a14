"""Telling clients from before 2026-07-28 that a resource, or a list, is another one.

They subscribe to single addresses, and hear of a list from when they have read it. Both last as
long as their connection, or over HTTP their session.
"""

from collections.abc import Callable

from mcp.server.subscriptions import SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated, ServerEvent, event_to_notification
from mcp.types import (
    INVALID_REQUEST,
    EmptyResult,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from databits.errors import DatabitsError
from mcp_server.reading import Ctx, Reader, protocol_error
from mcp_server.waits import (
    LISTS,
    RESOURCES,
    can_be_told,
    connection_of,
    event_of,
    speaks_listening,
    watch_of,
    watcher_of,
)
from mcp_server.watching import LIST_PACE_S, PACE_S

_STATE = "databits.waits"
NO_SESSION = (
    "Not ready: this server keeps no sessions, so there is nothing to tell older clients by. "
    "Clients that speak 2026-07-28 can listen; others read again, or call get_run with wait_s."
)
_Waits = dict[str, Callable[[], None]]


def _waits(ctx: Ctx) -> _Waits:
    """What a connection waits for, by address; it all ends with the connection."""
    connection = connection_of(ctx)
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
    waits, watcher, session = _waits(ctx), watcher_of(ctx), ctx.session
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


async def has_read(reader: Reader, ctx: Ctx, name: str) -> None:
    """An older client has read a list: it is told when that is another one."""
    if speaks_listening(ctx) or not can_be_told(ctx):
        return
    if name != RESOURCES and not reader.roles_change:
        return
    try:
        await _wait(reader, ctx, name)
    except MCPError:
        return  # it waits for too much already; nobody asked for this


async def _wait(reader: Reader, ctx: Ctx, key: str) -> None:
    waits = _waits(ctx)
    if key in waits:
        return
    watch = watch_of(reader, ctx, key)
    session = ctx.session

    async def tell() -> None:
        await session.send_notification(event_to_notification(event_of(key), {}))

    watch.tell, watch.pace_s = tell, LIST_PACE_S if key in LISTS else PACE_S
    watcher = watcher_of(ctx)
    try:
        await watcher.first_look(watch)
    except DatabitsError as error:
        raise protocol_error(error, uri=key) from None
    if key not in waits:  # else it asked twice at once
        waits[key] = watcher.add(reader.actor(ctx).name, [watch])
