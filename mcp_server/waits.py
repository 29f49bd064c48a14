"""What a client can wait for, and whether there is a way to tell it.

That is resources by address, and the lists of tools, prompts and resources. What is on the list of
resources depends on the workspace; which tools and prompts a caller has, on the role they have.
"""

import hashlib
from typing import Any

from mcp.server.connection import Connection
from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types.version import is_version_at_least

from databits.actor import Actor
from mcp_server import resource_list, resources
from mcp_server.reading import Ctx, Reader
from mcp_server.watching import PACE_S, Known, Watch, Watcher

LISTENS = "2026-07-28"
"""From this version on, clients hear of changes on a stream that they open."""
TOOLS, PROMPTS, RESOURCES = "tools", "prompts", "resources"  # none is an address
LISTS: dict[str, ServerEvent] = {
    TOOLS: ToolsListChanged(),
    PROMPTS: PromptsListChanged(),
    RESOURCES: ResourcesListChanged(),
}


def event_of(key: str) -> ServerEvent:
    return LISTS.get(key) or ResourceUpdated(uri=key)


def speaks_listening(ctx: Ctx) -> bool:
    return is_version_at_least(ctx.protocol_version, LISTENS)


def can_be_told(ctx: Ctx) -> bool:
    """Whether there is a way to a client between its requests."""
    # Over HTTP an older client has one only within a session.
    return speaks_listening(ctx) or ctx.request is None or connection_of(ctx).session_id is not None


def connection_of(ctx: Ctx) -> Connection:
    # The SDK means it for this ("push cleanup from handlers"), and has no public way to it yet.
    return ctx.session._connection


def watcher_of(ctx: Ctx) -> Watcher:
    found = ctx.lifespan_context
    assert isinstance(found, Watcher)
    return found


def watch_of(reader: Reader, ctx: Ctx, key: str) -> Watch:
    """What makes a resource, or a list, another one for this caller; it tells nobody yet.

    Raises:
        MCPError: for no address of ours, or one outside of the toolsets.
    """
    run = reader.runner.run
    if key == RESOURCES:
        offered = {name for name in resource_list.LISTS if reader.offers(ctx, name)}

        def read(actor: Actor) -> str:
            return resource_list.listing(lambda name, said: run(name, said, actor), offered)
    elif key in LISTS:

        def read(actor: Actor) -> str:
            return str(reader.surface.role_of(ctx))
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

    async def untold(*_: Any) -> None:
        return None

    return Watch(look, untold, PACE_S)
