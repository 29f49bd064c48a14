"""Pages of what a server lists, and the cursors between them.

A cursor is the name of a section of the list and how far one has come in it. It holds no secret and
gives no access, so nothing seals it; clients only have to leave it as it is.
"""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

ROWS = 100
"""Things a page: more than any list of ours has today, except those of tools and resources."""
_KEYS: Mapping[str, str] = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/templates/list": "resourceTemplates",
}


def cursor(section: str, at: int) -> str:
    return base64.urlsafe_b64encode(f"{section}:{at}".encode()).decode().rstrip("=")


def position(given: str, sections: Collection[str]) -> tuple[str, int]:
    """The section and the place in it that a cursor stands for.

    Raises:
        MCPError: -32602 for what is no cursor of this list.
    """
    try:
        padded = given.encode("ascii") + b"=" * (-len(given) % 4)
        section, _, at = (
            base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition(":")
        )
    except (ValueError, binascii.Error):
        section, at = "", ""
    if section not in sections or not (at.isascii() and at.isdigit() and len(at) < 19):
        raise MCPError(
            INVALID_PARAMS,
            "Invalid: that is no cursor of this list. Send nextCursor of the page before as it came, "
            "or none to begin again.",
        )
    return section, int(at)


async def in_pages(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A server's middleware: lists that the SDK gives whole come in pages.

    It stands outside of what leaves out what a caller may not use, so pages are full.
    """
    key = _KEYS.get(ctx.method)
    if key is None:
        return await call_next(ctx)
    given = (ctx.params or {}).get("cursor")
    start = position(given, (key,))[1] if isinstance(given, str) else 0
    whole = {name: value for name, value in (ctx.params or {}).items() if name != "cursor"}
    found = await call_next(replace(ctx, params=whole) if given is not None else ctx)
    if not isinstance(found, dict):
        return found
    rows = found[key][start : start + ROWS]
    rest = len(found[key]) > start + ROWS
    more = {"nextCursor": cursor(key, start + ROWS)} if rest else {}
    return {**found, key: rows, **more}
