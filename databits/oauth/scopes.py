"""Scopes: one a role, each the most that a token may do, never more than its person was granted.

A scope of a higher role covers the lower ones. There are none for toolsets: more scopes must never
be less, and a toolset takes away; `X-MCP-Toolsets` is for that.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from databits.actor import ROLES, Role, highest

_OURS = "databits:"


def scope_of(role: Role, before: str = "") -> str:
    """The scope that lets a token act as far as `role`, as a client asks for it.

    Args:
        before: What the sign-in server puts before our names, as `api://…/`.
    """
    return f"{before}{_OURS}{role}"


def ceiling(scopes: Iterable[str], before: str = "") -> Role | None:
    """The most that somebody with these scopes may do; None without any of ours.

    Servers that put something before our names leave it out of their tokens, or do not.
    """
    said = {scope.removeprefix(before) for scope in scopes}
    named = [role for role in ROLES if f"{_OURS}{role}" in said]
    return highest(named) if named else None


def scopes_in(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The scopes of a token: `scope` as RFC 9068 has it, or `scp`, in a text or a list."""
    said = claims.get("scope", claims.get("scp"))
    if isinstance(said, str):
        return tuple(said.split())
    if isinstance(said, list):
        return tuple(scope for scope in said if isinstance(scope, str))
    return ()
