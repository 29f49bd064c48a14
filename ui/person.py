"""The person at the page."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from gradio.context import LocalContext
from pydantic import BaseModel

from databits.actor import Actor, Surface
from databits.model import Page, every
from databits.workbench import Workbench
from mcp_server.callers import callers_of
from ui.door import BY_SESSION, PERSON

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")
PAGE = 200  # rows; the most that a list gives at once
CLIENT = "databits-page"


class Person:
    """Whoever uses the pages, and the workbench as they may use it.

    Buttons and keys are human acts, so the actor is a person: what they click counts as consent.
    Who it is, the request says that is being answered: one server has many people at its pages.
    """

    def __init__(self, workbench: Workbench, surface: Surface) -> None:
        self.workbench = workbench
        self._surface = surface

    @property
    def actor(self) -> Actor:
        """Who acts, as a person.

        Raises:
            NotAllowed: outside a request, where people sign in.
        """
        found = _scope().get(PERSON) or callers_of(self.workbench).local(self._surface)
        assert isinstance(found, Actor)  # Door puts nothing else there
        return found.through(self._surface, client=CLIENT, person=True)

    @property
    def folder(self) -> str:
        """Name of the folder for what is theirs alone; empty for this machine's user."""
        return callers_of(self.workbench).owner(self.actor)

    @property
    def can_sign_out(self) -> bool:
        return bool(_scope().get(BY_SESSION))

    def run(self, operation: Callable[..., R], **arguments: Any) -> R:
        """Run an operation through the workbench.

        The function only names the operation and its result's type; it is never called from here.
        Not for jobs and consequential operations: those answer with a `Run` or a `Planned`.

        Raises:
            DatabitsError: with a text for the person.
        """
        return cast(R, self.workbench.run(operation.__name__, arguments, self.actor))

    def all(self, operation: Callable[..., Page[T]], **arguments: Any) -> list[T]:
        """The rows of a whole list, however many pages it has."""
        return [*every(lambda after: self.run(operation, **arguments, after=after, limit=PAGE))]


def _scope() -> dict[str, Any]:
    """The scope of the request that is being answered; tasks started by it keep it."""
    # Not a parameter of every handler: the calls of a page's scripts would not get it.
    request: Any = LocalContext.request.get(None)
    inner = getattr(request, "request", None) or request  # Gradio wraps it, but not always
    return getattr(inner, "scope", None) or {}
