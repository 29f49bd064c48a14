"""The assistant of the chat page: over the workbench's own tools, in this process."""

from contextlib import AbstractAsyncContextManager

from agent.client import acting_as
from agent.runtime import Assistant
from databits.workbench import Workbench
from mcp_server.auth import local_actor
from mcp_server.server import build_server


def open_assistant(workbench: Workbench) -> AbstractAsyncContextManager[Assistant]:
    """The assistant, to be entered in the server's loop.

    What it calls is software's doing, whoever asked: its actor is never a person, so that no
    message can approve a plan. Its plans are approved by the buttons of the page.
    """
    me = local_actor(workbench.settings, "chat", client="databits-agent")
    server = build_server(workbench, lambda ctx: acting_as.get() or me, relay=True)
    return Assistant.open(workbench.settings, server)
