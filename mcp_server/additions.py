"""What another package adds to the server, beside operations of the catalogue.

Operations come through the entry point `databits.tools` and are the better choice for whatever
touches the workspace: they bring roles, plans and the audit trail with them. This is for the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool

from mcp_server.tasks import Source


def nothing(_: MCPServer[Any]) -> None:
    """Adds nothing."""


@dataclass(frozen=True)
class Addition:
    """Tools, resources, prompts and tasks of another package."""

    tools: Sequence[Tool] = ()
    """They belong to no toolset: who is held to toolsets neither sees nor calls them."""
    tasks: Sequence[Source] = ()
    """Where to look for tasks that its tools leave behind."""
    extend: Callable[[MCPServer[Any]], None] = nothing
    """Adds resources and prompts to the finished server, by the SDK's own means."""
