"""The server over streamable HTTP, as routes for the process that serves everything else."""

import ipaddress
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import BaseRoute

from databits.errors import Invalid
from databits.ports import Runner
from databits.settings import Settings
from mcp_server.auth import Identify, identify_local
from mcp_server.server import build_server

PATH = "/mcp"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class HttpApp(NamedTuple):
    """What the serving process takes in: it adds the routes, and runs `lifespan` around itself."""

    routes: Sequence[BaseRoute]
    lifespan: Callable[[], AbstractAsyncContextManager[None]]


def http_app(
    runner: Runner,
    settings: Settings,
    *,
    identify: Identify | None = None,
    hosts: Sequence[str] = (),
    toolsets: Collection[str] | None = None,
    read_only: bool = False,
    stateless: bool = False,
) -> HttpApp:
    """The MCP endpoint at `/mcp`.

    Args:
        identify: Says who a request comes from, where something in front of the server has signed
            them in; None means this machine's user, and is for loopback only.
        hosts: Further names that clients reach the server by; a page of any other site, or a name
            that somebody pointed at this machine, is refused.
        stateless: No sessions, for platforms that spread requests over processes. Older clients
            can then be asked nothing and get plans to approve elsewhere.

    Raises:
        Invalid: for an address off loopback without an `identify`.
    """
    if identify is None and not _is_loopback(settings.host):
        raise Invalid(
            "host must be a loopback address (127.0.0.1, ::1 or localhost): whoever reaches the port acts as "
            "this machine's user. To serve others, put something in front that signs them in."
        )
    server = build_server(
        runner, identify or identify_local(settings), toolsets=toolsets, read_only=read_only
    )
    # The answers of a call are streamed, so that progress and questions arrive while it runs.
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=stateless,
        transport_security=_allowed([*LOOPBACK, *hosts]),
    )
    return HttpApp(app.routes, server.session_manager.run)


def _allowed(hosts: Sequence[str]) -> TransportSecuritySettings:
    named = [name for host in hosts for name in (host, f"{host}:*")]
    return TransportSecuritySettings(
        allowed_hosts=named,
        allowed_origins=[f"{scheme}://{name}" for scheme in ("http", "https") for name in named],
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
