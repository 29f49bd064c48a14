"""Who is calling: the operating-system user here, through the client that the wire names.

On stdio and on loopback HTTP nobody signs in: whoever can start the process or reach the port on
this machine acts as its user, with the role in the settings. A server that is reached from
elsewhere passes an `Identify` of its own, which believes the platform in front of it.

A tool call is never a person's act, whatever the client says about itself; see `confirm`.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from databits.actor import Actor, Surface
from databits.identity import machine_user
from databits.settings import Settings

if TYPE_CHECKING:
    # Not at run time: commands name their actor here too, and do without the SDK's second of import.
    from mcp.server.mcpserver import Context

Identify = Callable[["Context[Any, Any] | None"], Actor]

CLIENT_LENGTH = 80
BESIDE_LENGTH = 32
"""Of the client's own name, where the application that the sign-in server knows stands beside it."""


def local_actor(settings: Settings, surface: Surface, client: str = "") -> Actor:
    """Software acting for the operating-system user of this process.

    The role of the settings is what they have here, and a ceiling: whoever starts a server as a
    viewer, for an editor that shall only look, must not get more by a grant.
    """
    name = machine_user(settings)
    return Actor(name, settings.role, surface, client=client, limit=settings.role)


def identify_local(settings: Settings) -> Identify:
    """Every caller is this machine's user; what differs is the client in between."""
    me = local_actor(settings, "mcp")
    return lambda ctx: through_client(me, client_of(ctx))


def client_of(ctx: "Context[Any, Any] | None", application: str = "") -> str:
    """Client, as it names itself, and protocol version: `claude-code 2.1.330 (mcp 2026-07-28)`.

    Args:
        application: Who the token was made for, as the sign-in server says; it comes behind.
    """
    if ctx is None:
        return application
    request = ctx.request_context  # the properties of `ctx` look it up each time, slowly
    params = request.session.client_params
    said = (params.client_info.name, params.client_info.version) if params else ("", "")
    return _client(*said, request.protocol_version or "unknown", application)


def beside(software: str, application: str) -> str:
    """Software of ours or of a client, and the application whose token it came with, if any."""
    return f"{software} by {application}" if application else software


@lru_cache(maxsize=256)  # each call asks, and a server has few callers with few clients
def through_client(actor: Actor, client: str) -> Actor:
    """The same actor, with the software in between."""
    return replace(actor, client=client)


@lru_cache(maxsize=256)
def _client(name: str, version: str, protocol: str, application: str) -> str:
    shown = _line(f"{name} {version}")[: BESIDE_LENGTH if application else CLIENT_LENGTH]
    return beside(f"{shown} (mcp {_line(protocol)[:16]})".strip(), application)


def _line(said: str) -> str:
    """One printable line, whatever was sent: it ends up in the audit trail and on pages."""
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())
