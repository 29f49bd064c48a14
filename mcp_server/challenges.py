"""Refusals over HTTP that tell a client how to come in: 401, 403 and 503 (RFC 6750, RFC 9728, MCP)."""

import json
import re
from typing import Any

from databits.errors import DatabitsError, NotAllowed, Unavailable
from databits.oauth.entering import KeptOut, ScopeMissing
from databits.oauth.tokens import TokenRefused
from databits.oauth.trust import Trust
from mcp_server.protected import metadata_url

RETRY_S = 5
_QUOTED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")


async def refuse(
    send: Any, scope: Any, error: DatabitsError, trust: Trust | None, *, given: bool, mcp: bool
) -> None:
    """Answer in the shape of the gateway's errors, and say how to come in.

    Args:
        trust: The team's own sign-in server.
        given: Whether there was a token, which then is what was wrong.
        mcp: Whether `/mcp` was asked: what describes itself to clients (RFC 9728) is that.
    """
    metadata = metadata_url(scope, trust) if mcp else ""
    status, code = 401, "UNAUTHENTICATED"
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, Unavailable):
        status, code = 503, "TEMPORARILY_UNAVAILABLE"
        headers = [(b"retry-after", str(RETRY_S).encode())]
    elif isinstance(error, KeptOut):
        status, code = 403, "PERMISSION_DENIED"
    elif isinstance(error, ScopeMissing):
        status, code = 403, "PERMISSION_DENIED"
        headers = [asking(trust, metadata, "insufficient_scope", error)]
    else:
        headers = [asking(trust, metadata, "invalid_token" if given else "", error)]
    body = json.dumps({"error_code": code, "message": _in_full(error, trust)}).encode()
    await answer(send, status, body, headers)


def asking(
    trust: Trust | None, metadata: str, error: str, why: DatabitsError
) -> tuple[bytes, bytes]:
    """The header by which a client knows what to ask the sign-in server for."""
    said = {"error": error}
    if isinstance(why, TokenRefused | ScopeMissing):
        said["error_description"] = _QUOTED.sub("", str(why))
    if trust is not None:
        said["scope"] = trust.scope(why.role if isinstance(why, ScopeMissing) else trust.asks)
    said["resource_metadata"] = metadata
    parts = ", ".join(f'{name}="{value}"' for name, value in said.items() if value)
    return b"www-authenticate", f"Bearer {parts}".strip().encode()


async def answer(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send a refusal, which nobody keeps."""
    always = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*always, *headers]})
    await send({"type": "http.response.body", "body": body})


def _in_full(error: DatabitsError, trust: Trust | None) -> str:
    if isinstance(error, TokenRefused):
        return f"This token is not taken: {str(error)[0].lower()}{str(error)[1:]} Sign in again."
    theirs = trust is not None and type(error) is NotAllowed
    return f"{error} Tokens of {trust.issuer} are taken too." if theirs and trust else str(error)
