"""What a turn of the agent is made of: one stream, read by the chat page and by the served agent."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer, as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    id: str
    tool: str
    arguments: dict[str, Any]
    specialist: str
    """The specialist's stage: `curate`."""


@dataclass(frozen=True, slots=True)
class ToolFinished:
    id: str
    tool: str
    ok: bool
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    """The structured result."""


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """The turn stops here until a person decides the plan."""

    id: str
    """The interrupt's id: the answer names it."""
    tool: str
    plan: dict[str, Any]
    """A `databits.model.Plan` as JSON."""


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Requests the person can make next, to show as buttons."""

    requests: list[str]


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn ended in an error; the text is for the person."""

    message: str


Event = Text | ToolStarted | ToolFinished | ApprovalAsked | Suggestions | Failed


@dataclass(frozen=True, slots=True)
class Said:
    """One contribution to a conversation, as its history keeps it."""

    by: Literal["person", "assistant"]
    text: str
