"""Calls that need a scope which their token lacks: 403, with the scope to ask for, before anything is done.

So the MCP authorization specification wants it (scope challenge handling): the client asks the
sign-in server for more, with its person, and sends the call once more. It is said only where it
helps: to somebody whose grants would allow the call. Everybody else gets the tool's own refusal.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_REQUEST

from databits.actor import ROLES, Role
from databits.oauth.entering import ScopeMissing
from databits.oauth.trust import Trust
from databits.operation import CATALOGUE, Operation
from mcp_server.aliases import RENAMED
from mcp_server.callers import AsgiApp, Caller, Message, Receive, Scope, Send, caller_in
from mcp_server.challenges import answer, asking
from mcp_server.protected import metadata_url
from mcp_server.resources import find
from mcp_server.surface import call_meant


class SteppingUp:
    """ASGI middleware inside of `Authenticated`, around the MCP transport.

    Args:
        offered: The operations that this server has; no scope helps to any other.
        largest: The most of a body that the transport takes, in bytes.
    """

    def __init__(self, app: AsgiApp, trust: Trust, offered: Collection[str], largest: int) -> None:
        self._app = app
        self._trust = trust
        self._offered = offered
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_in(scope)
        # Whose token is as good as their grants can not do better: nothing is looked at.
        if scope["method"] != "POST" or not _could_more(caller):
            await self._app(scope, receive, send)
            return
        body, again = await _look(receive, self._largest)
        message = _message(body)
        op = self._asked(message)
        if op is not None and _lacks(caller, op.role):
            await self._refuse(scope, send, message.get("id"), op)
        else:
            await self._app(scope, again, send)

    def _asked(self, message: Mapping[str, Any]) -> Operation | None:
        """The operation that a message is a call of."""
        params = message.get("params")
        if not isinstance(params, dict):
            return None
        name = None
        if message.get("method") == "tools/call":
            said = str(call_meant(params)["name"])
            name = RENAMED.get(said, said)
        elif message.get("method") == "resources/read":
            name = _read_by(str(params.get("uri")))
        op = CATALOGUE.get(name or "")
        return op if op is not None and op.name in self._offered else None

    async def _refuse(self, scope: Scope, send: Send, message_id: Any, op: Operation) -> None:
        needed = self._trust.scope(op.role)
        why = ScopeMissing(
            op.role, f"{op.name} needs the scope {needed}, which your token lacks; sign in for it."
        )
        # In the protocol's own shape, so that clients that do not ask for more show the words.
        known = message_id if isinstance(message_id, str | int) else None
        error = {"code": INVALID_REQUEST, "message": f"{why.phrase}: {why}"}
        body = json.dumps({"jsonrpc": "2.0", "id": known, "error": error}).encode()
        metadata = metadata_url(scope, self._trust)
        await answer(send, 403, body, [asking(self._trust, metadata, "insufficient_scope", why)])


def _could_more(caller: Caller) -> bool:
    return caller.up_to is not None and _rank(caller.up_to) > _rank(caller.actor.limit)


def _lacks(caller: Caller, role: Role) -> bool:
    """Whether it is the scope that is missing, and no grant."""
    could = caller.up_to is not None and _rank(caller.up_to) >= _rank(role)
    return could and _rank(caller.actor.limit) < _rank(role)


def _read_by(uri: str) -> str | None:
    """The operation that reads an address; None for what is none of ours."""
    try:
        return find(uri)[0].operation
    except MCPError:
        return None


def _rank(role: Role) -> int:
    return ROLES.index(role)


def _message(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}  # the transport says what is wrong with it
    return found if isinstance(found, dict) else {}


async def _look(receive: Receive, largest: int) -> tuple[bytes, Receive]:
    """A request's body, and what gives it once more; nothing, and what there was, when it is too long."""
    held: list[Message] = []
    body, more = bytearray(), True
    while more and len(body) <= largest:
        message = await receive()
        held.append(message)
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)

    async def again() -> Message:
        return held.pop(0) if held else await receive()

    return (bytes(body) if len(body) <= largest else b""), again
