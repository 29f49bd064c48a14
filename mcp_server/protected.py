"""How `/mcp` describes itself to OAuth clients: protected-resource metadata (RFC 9728).

There is no authorization server here: tokens are made with `databits token create`. The metadata
says so by naming none, and says what the resource is called, for clients that look there first.
"""

import re
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_AUTHORITY = re.compile(r"[A-Za-z0-9.:\[\]-]{1,260}")


def metadata_routes(path: str) -> list[Route]:
    """The description of the resource at `path`, where clients look for it: with the path, and bare."""

    async def describe(request: Request) -> JSONResponse:
        described = {
            "resource": f"{own_url(request.scope)}{path}",
            "resource_name": "Databits Workbench",
            "bearer_methods_supported": ["header"],
        }
        # Pages of other origins may read it: it is public, and clients in browsers ask from there.
        open_to_all = {"access-control-allow-origin": "*", "cache-control": "max-age=3600"}
        return JSONResponse(described, headers=open_to_all)

    return [Route(where, describe) for where in (WELL_KNOWN, f"{WELL_KNOWN}{path}")]


def metadata_url(scope: Any) -> str:
    """Where a client that was refused finds the description of what it asked for."""
    return f"{own_url(scope)}{WELL_KNOWN}{scope['path']}"


def own_url(scope: Any) -> str:
    """This server as the client calls it, or nothing where that can not stand in a header."""
    url = HTTPConnection(scope).url
    return f"{url.scheme}://{url.netloc}" if _AUTHORITY.fullmatch(url.netloc) else ""
