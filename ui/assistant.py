"""The assistant of the chat page: over the workbench's own tools, in this process."""

from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar

from agent.client import acting_as
from agent.runtime import Assistant
from databits.actor import Actor
from databits.workbench import Workbench
from mcp_server.auth import beside
from mcp_server.callers import callers_of
from mcp_server.server import build_server
from mcp_server.surface import Narrowing
from mcp_server.toolsets import of_token

CLIENT = "databits-agent"
acting_within: ContextVar[tuple[str, ...] | None] = ContextVar("acting_within", default=None)
"""The toolsets of whoever a turn is for; None means all. It goes with `acting_as`."""


def speak_for(actor: Actor, toolsets: tuple[str, ...] | None = None, application: str = "") -> None:
    """From here on in this task, the assistant acts for somebody, and is software all the same.

    Args:
        application: Whose token they came with, as the team's own sign-in server says.
    """
    acting_as.set(actor.through(actor.surface, client=beside(CLIENT, application)))
    acting_within.set(toolsets)


def open_assistant(workbench: Workbench) -> AbstractAsyncContextManager[Assistant]:
    """The assistant, to be entered in the server's loop.

    What it calls is software's doing, whoever asked: its actor is never a person, so that no
    message can approve a plan. Its plans are approved by the buttons of the page.
    """
    callers = callers_of(workbench)

    def identify(ctx: object) -> Actor:
        return acting_as.get() or callers.local("chat").through("chat", client=CLIENT)

    def narrowed(ctx: object) -> Narrowing:
        stages = acting_within.get()
        return Narrowing() if stages is None else Narrowing((of_token(stages),))

    server = build_server(workbench, identify, relay=True, narrowed=narrowed)
    return Assistant.open(workbench.settings, server)
