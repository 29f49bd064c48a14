"""Who asks, and through which surface."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

Role = Literal["viewer", "labeler", "reviewer", "engineer", "admin"]
Surface = Literal["chat", "review", "command", "mcp", "http", "test"]

ROLES: tuple[Role, ...] = get_args(Role)
_RANK: dict[str, int] = {role: rank for rank, role in enumerate(ROLES)}


def lowest(roles: Iterable[Role]) -> Role:
    """The one of these roles, of which there must be one, that may do the least."""
    return min(roles, key=_RANK.__getitem__)


def highest(roles: Iterable[Role]) -> Role:
    return max(roles, key=_RANK.__getitem__)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, or software acting for one.

    `person` is true only where a human act stands behind the very call: a button, a key, a typed
    command. A model's tool call is never a person, whoever's role it carries: that is what keeps
    approvals human.
    """

    name: str
    role: Role
    """What the surface gives; inside an operation, what the person may do where the call is about."""
    surface: Surface
    person: bool = False
    client: str = ""
    """The software in between, as it names itself: `claude-code 2.1.330`, `databits-agent`."""
    limit: Role = "admin"
    """A ceiling, as a token has one: no grant raises the role above it."""
    service: bool = False
    """An identity that no human signs in with: nothing that comes through it is a person's act."""
    given: Role | None = None
    """The role that the surface gave, once `role` is what the grants made of it."""
    trace: str | None = None
    """W3C trace id of the call, for the audit log; it goes with the actor into runs and plans, so
    that what comes of a call later is found by the trace of the call."""

    def covers(self, role: Role) -> bool:
        return _RANK[self.role] >= _RANK[role]

    def through(self, surface: Surface, *, client: str = "", person: bool = False) -> "Actor":
        """The same identity and role on another surface."""
        return replace(self, surface=surface, client=client, person=person and not self.service)

    def standing_as(self, role: Role) -> "Actor":
        """The same with the role that the grants give, at most `limit`.

        What the surface gave stays known, so that a run or a plan is checked against today's grants
        when it is carried out, and not against those of the day when it was asked for.
        """
        role = lowest((role, self.limit))
        if role == self.role:
            return self
        return replace(self, role=role, given=self.surface_role)

    @property
    def surface_role(self) -> Role:
        """What the surface gave, whatever the grants made of it since."""
        return self.given or self.role
