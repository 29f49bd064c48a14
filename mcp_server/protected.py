"""How `/mcp` describes itself to OAuth clients: protected-resource metadata (RFC 9728).

There is no authorization server here: tokens are made with `databits token create`, and the metadata
says so by naming none. Where a team has its own (`DATABITS_OAUTH_ISSUER`), it names that, and what
this server is called there, which then is never what a request says.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from databits.oauth.trust import Trust

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_AUTHORITY = re.compile(r"[A-Za-z0-9.:\[\]-]{1,260}")


def metadata_routes(path: str, trust: Trust | None = None) -> list[Route]:
    """The description of the resource at `path`, where clients look for it: with the path, and bare.

    Args:
        trust: The team's own sign-in server.
    """

    async def describe(request: Request) -> JSONResponse:
        described: dict[str, Any] = {
            "resource": f"{own_url(request.scope)}{path}",
            "resource_name": "Databits Workbench",
            "bearer_methods_supported": ["header"],
        }
        if trust is not None:
            described |= {
                "resource": trust.resource,
                "authorization_servers": [trust.issuer],
                # What is needed at first; a call that needs more says so.
                "scopes_supported": [trust.scope(trust.asks)],
            }
        # Pages of other origins may read it: it is public, and clients in browsers ask from there.
        open_to_all = {"access-control-allow-origin": "*", "cache-control": "max-age=3600"}
        return JSONResponse(described, headers=open_to_all)

    # A proxy may have put the server below a path of its own.
    beyond = urlsplit(trust.resource).path if trust is not None else ""
    paths = dict.fromkeys((WELL_KNOWN, f"{WELL_KNOWN}{path}", f"{WELL_KNOWN}{beyond}"))
    return [Route(where, describe) for where in paths]


def metadata_url(scope: Any, trust: Trust | None = None) -> str:
    """Where a client that was refused finds the description of what it asked for."""
    if trust is not None:
        parts = urlsplit(trust.resource)
        return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path}"
    return f"{own_url(scope)}{WELL_KNOWN}{scope['path']}"


def own_url(scope: Any) -> str:
    """This server as the client calls it, or nothing where that can not stand in a header."""
    url = HTTPConnection(scope).url
    return f"{url.scheme}://{url.netloc}" if _AUTHORITY.fullmatch(url.netloc) else ""
