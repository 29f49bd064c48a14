"""The person at the page."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from databits.actor import Actor, Surface
from databits.workbench import Workbench
from mcp_server.auth import local_actor

R = TypeVar("R", bound=BaseModel)
CLIENT = "databits-page"


class Person:
    """Whoever uses the pages, and the workbench as they may use it.

    Buttons and keys are human acts, so the actor is a person: what they click counts as consent.
    """

    def __init__(self, workbench: Workbench, surface: Surface) -> None:
        self.workbench = workbench
        self.actor: Actor = local_actor(workbench.settings, surface).through(
            surface, client=CLIENT, person=True
        )

    def run(self, operation: Callable[..., R], **arguments: Any) -> R:
        """Run an operation through the workbench.

        The function only names the operation and its result's type; it is never called from here.
        Not for jobs and consequential operations: those answer with a `Run` or a `Planned`.

        Raises:
            DatabitsError: with a text for the person.
        """
        return cast(R, self.workbench.run(operation.__name__, arguments, self.actor))
