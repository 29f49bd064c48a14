"""Who asks, and through which surface."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

Role = Literal["viewer", "labeler", "reviewer", "engineer", "admin"]
Surface = Literal["chat", "review", "command", "mcp", "http", "test"]

_RANK: dict[str, int] = {role: rank for rank, role in enumerate(get_args(Role))}


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, or software acting for one.

    `person` is true only where a human act stands behind the very call: a button, a key, a typed
    command. A model's tool call is never a person, whoever's role it carries: that is what keeps
    approvals human.
    """

    name: str
    role: Role
    surface: Surface
    person: bool = False
    client: str = ""
    """The software in between, as it names itself: `claude-code 2.1.330`, `databits-agent`."""

    def covers(self, role: Role) -> bool:
        return _RANK[self.role] >= _RANK[role]

    def through(self, surface: Surface, *, client: str = "", person: bool = False) -> "Actor":
        """The same identity and role on another surface."""
        return replace(self, surface=surface, client=client, person=person)
