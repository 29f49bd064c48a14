"""`databits mcp`: the server over standard input and output, for Claude, Cursor, VS Code."""

import gc
import logging
import sys
from collections.abc import Collection

from databits.ports import Runner
from databits.settings import Settings


def main(
    settings: Settings,
    *,
    toolsets: Collection[str] | None = None,
    read_only: bool = False,
    runner: Runner | None = None,
) -> None:
    """Serve until the client closes standard input.

    Args:
        toolsets: Instead of those in the settings.
        runner: The workbench; None finds the workspace of the settings with each call, here or in
            the process that has it open.

    Raises:
        Invalid: for a toolset that does not exist.
    """
    # The client shows standard error; standard output is the protocol's alone.
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s"
    )
    # A client waits for the list of tools: what is loaded for it stays, so looking for garbage
    # meanwhile costs a tenth of a second for nothing. That is also why the imports stand here.
    gc.disable()
    from databits.workspace import Workspace
    from mcp_server.auth import identify_local
    from mcp_server.registering import own_tools
    from mcp_server.sealing import sealed_by
    from mcp_server.server import build_server

    workspace = Workspace(settings, stays=True)
    server = build_server(
        runner or workspace,
        identify_local(settings),
        toolsets=settings.toolsets if toolsets is None else toolsets,
        read_only=read_only or settings.read_only,
        sealing=sealed_by(settings),
        middleware=own_tools(runner or workspace, settings, read_only=read_only),
    )
    gc.freeze()
    gc.enable()
    try:
        server.run("stdio")
    finally:
        workspace.close()
