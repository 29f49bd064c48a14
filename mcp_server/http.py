"""The server over streamable HTTP, as routes for the process that serves everything else."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import BaseRoute, Route

from databits.actor import Actor, Role
from databits.errors import NotAllowed
from databits.operation import CATALOGUE
from databits.settings import Settings
from databits.workbench import Workbench
from mcp_server.additions import Addition
from mcp_server.auth import Identify, client_of, through_client
from mcp_server.callers import (
    AGAIN,
    HOW,
    AsgiApp,
    Authenticated,
    Caller,
    Callers,
    caller_in,
    callers_of,
)
from mcp_server.limits import Limited, at_once
from mcp_server.plainly import MB, Plainly
from mcp_server.protected import metadata_routes
from mcp_server.registering import own_tools
from mcp_server.sealing import sealed_by
from mcp_server.server import build_server, offered
from mcp_server.stepping_up import SteppingUp
from mcp_server.surface import NOTHING, Narrowing
from mcp_server.toolsets import Choice, of_request, of_token, parse

PATH = "/mcp"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class HttpApp(NamedTuple):
    """What the serving process takes in: it adds the routes, and runs `lifespan` around itself."""

    endpoint: AsgiApp
    """What answers at `PATH`; its route is among the routes too."""
    routes: Sequence[BaseRoute]
    lifespan: Callable[[], AbstractAsyncContextManager[None]]


def http_app(
    workbench: Workbench,
    settings: Settings,
    *,
    identify: Identify | None = None,
    hosts: Sequence[str] | None = (),
    stateless: bool = False,
    addition: Addition | None = None,
    registers: bool = False,
) -> HttpApp:
    """The MCP endpoint at `/mcp`.

    Whoever calls shows a token. Without one they are this machine's user, on a machine of one's
    own where nobody signs in; see `callers`. A session belongs to the token that opened it.

    Args:
        identify: Says who a request comes from instead, where something in front of the server has
            signed them in.
        hosts: Further names that clients reach the server by; a page of any other site, or a name
            that somebody pointed at this machine, is refused. None where the app around this
            looks at names itself.
        stateless: No sessions, for platforms that spread requests over processes. Older clients
            can then be asked nothing and get plans to approve elsewhere.
        addition: What another package adds to the server.
        registers: Enters the server's tools in the registry, after the first call.

    Raises:
        Invalid: for settings of a sign-in server that would not be safe.
    """
    trust = callers_of(workbench).trust if identify is None else None
    server = build_server(
        workbench,
        identify or identify_caller,
        renew=None if identify else identify_again,
        toolsets=settings.toolsets,
        read_only=settings.read_only,
        narrowed=_by_headers if identify else _narrowed,
        role_of=None if identify else partial(_best_role, callers_of(workbench)),
        sealing=sealed_by(settings),
        addition=addition,
        near=workbench,
        middleware=[
            *([at_once(settings.calls_at_once, _person)] if identify is None else ()),
            *(own_tools(workbench, settings) if registers else ()),
        ],
    )
    # The answers of a call are streamed, so that progress and questions arrive while it runs.
    server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=stateless,
        transport_security=_allowed(hosts),
        max_request_body_size=settings.body_mb * MB,
    )
    # Its app would route once more what has been routed here.
    inside: AsgiApp = Plainly(server.session_manager.handle_request, settings.body_mb)
    if identify is None:
        # The SDK has no public name for what it has open.
        sessions = server.session_manager._server_instances
        if trust is not None:
            inside = SteppingUp(inside, trust, _offered(settings), settings.body_mb * MB)
        limited = Limited(inside, settings, lambda: sessions.keys())
        inside = Authenticated(limited, callers_of(workbench), "mcp")
    routes = [Route(PATH, endpoint=inside), *metadata_routes(PATH, trust)]
    return HttpApp(inside, routes, server.session_manager.run)


def identify_caller(ctx: Context[Any, Any] | None) -> Actor:
    """The actor of a request that came through `Authenticated`.

    Raises:
        NotAllowed: for any other request.
    """
    if ctx is None:
        raise NotAllowed(HOW)
    actor = _caller(ctx.request_context).actor
    return through_client(actor, client_of(ctx, actor.client))


def identify_again(ctx: Context[Any, Any] | None) -> Actor:
    """Whoever a request came from, as they stand now.

    Raises:
        NotAllowed: when they may not come in any more.
    """
    actor = identify_caller(ctx)
    assert ctx is not None
    again = getattr(ctx.request_context.request, "scope", {}).get(AGAIN)
    return actor if again is None else replace(again().actor, client=actor.client)


def _narrowed(ctx: ServerRequestContext[Any, Any]) -> Narrowing:
    """By the caller's token, and by what the request itself chooses."""
    stages, further = _caller(ctx).toolsets, _by_headers(ctx)
    if stages is None:
        return further
    return Narrowing((of_token(stages), *further.choices), further.read_only)


def _by_headers(ctx: ServerRequestContext[Any, Any]) -> Narrowing:
    """What `X-MCP-Toolsets` and `X-MCP-Readonly` choose."""
    headers = getattr(ctx.request, "headers", {})
    chosen, read_only = headers.get("x-mcp-toolsets"), headers.get("x-mcp-readonly", "")
    if chosen is None and not read_only:
        return NOTHING
    choices = () if chosen is None else (of_request(chosen.split(",")),)
    return Narrowing(choices, read_only.strip().lower() not in ("", "0", "false", "no"))


def _best_role(callers: Callers, ctx: ServerRequestContext[Any, Any]) -> Role:
    return callers.best_role(_caller(ctx))


def _person(ctx: ServerRequestContext[Any, Any]) -> str:
    return _caller(ctx).actor.name


def _caller(ctx: ServerRequestContext[Any, Any]) -> Caller:
    """The caller of this very message, not of the one that opened the session."""
    return caller_in(getattr(ctx.request, "scope", {}))


def _offered(settings: Settings) -> frozenset[str]:
    """The operations that a server with these settings lets somebody call."""
    choice = Choice(parse(settings.toolsets))
    return frozenset(op.name for op in offered(CATALOGUE.values(), choice, settings.read_only))


def _allowed(hosts: Sequence[str] | None) -> TransportSecuritySettings:
    if hosts is None:
        return TransportSecuritySettings(enable_dns_rebinding_protection=False)
    named = [name for host in [*LOOPBACK, *hosts] for name in (host, f"{host}:*")]
    return TransportSecuritySettings(
        allowed_hosts=named,
        allowed_origins=[f"{scheme}://{name}" for scheme in ("http", "https") for name in named],
    )
