"""What callers say to the store and hear from it, apart from `databits.model`.

The operations are made of these names; this module takes no SQLAlchemy, so that a server that has
only listed its tools has not loaded it.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, Field

from databits.errors import Conflict
from databits.model import Moment, Noun, Untrusted

ENDED = ("succeeded", "failed", "cancelled")
ALL = "*"


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


class Decision(NamedTuple):
    """What a person says of one item."""

    item_id: int
    state: str
    label: str | None


class Filter(NamedTuple):
    """Which items of a Databit; None says nothing."""

    state: str | None = None
    label: str | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    contains: str | None = None


class Foreseen(NamedTuple):
    """What a write is about to look at; see `databits.store.ahead`."""

    databit: str
    items: Sequence[int] = ()
    """Items by id."""
    holder: str = ""
    """Who claims items: theirs, then the next best that are free."""
    claims: int = 0
    """How many of those."""


class Node(NamedTuple):
    kind: str
    id: int


class Edge(NamedTuple):
    source: Node
    relation: str
    target: Node
    total: int
    more: bool


class Event(BaseModel):
    """One thing that happened to an item."""

    at: Moment
    kind: str = Field(description="queued, suggested, undone, or the verdict: correct, approve …")
    label: str | None = Field(None, description="The label, or the suggestion, from then on")
    before: str | None = Field(None, description="What it was until then")
    state: str | None = Field(None, description="The item's state from then on")
    by: str = Field(description="The person, or the engine")
    via: str = Field("", description="Surface: chat, review, command, mcp, http")
    client: str = Field("", description="The software in between")
    source: str = Field("", description="What it was taken from")
    note: Untrusted = ""
    change: int | None = None
    run: int | None = None
    undone: bool = Field(False, description="Taken back since")


class Wanted(NamedTuple):
    """Which changes; None says nothing. Times are microseconds since the epoch."""

    actor: str | None = None
    operation: str | None = None
    state: str | None = None
    since: int | None = None
    until: int | None = None
    asset: Node | None = None


class ListedChange(Noun):
    id: int
    at: Moment
    actor: str
    operation: str
    what: str = Field(description="What it touched, in words")
    state: str = Field(description="applied or undone")
    undoable: bool | None = Field(
        description="Can be undone now; null: too large to look ahead, undo_change tells"
    )
    blocked: str = Field("", description="Why it can not be undone now")
    surface: str
    rows: int
    undo_of: int | None = None
    run_id: int | None = None


class PlanMoved(Conflict):
    """What a plan was made from is not so any more; `plan_id` says which plan."""

    def __init__(self, plan_id: int) -> None:
        super().__init__(
            f"What plan {plan_id} was made from has changed, so it is stale and nothing was done."
        )
        self.plan_id = plan_id


def in_its_place(plan_id: int | None) -> str:
    """How to go on when a plan is over."""
    if plan_id is None:
        return " Call the operation again: it makes a new plan."
    return (
        f" Plan {plan_id} was made from the present state and waits for a person: list_approvals."
    )


AssetKind = Literal["endpoint", "model", "dataset", "databit", "tool"]
ASSET_KINDS: tuple[AssetKind, ...] = get_args(AssetKind)


class Definition(NamedTuple):
    """What a tool of an MCP server is, as JSON, and the hash that pins it."""

    name: str
    sha256: str
    body: Mapping[str, Any]


class Registered(NamedTuple):
    """Names of tools, by what their registration came to."""

    new: list[str]
    changed: list[str]
    same: list[str]
    gone: list[str]


class AssetRow(NamedTuple):
    """One asset; `at` is its place in the list."""

    at: int
    kind: AssetKind
    ref: str
    owner: str
    since: int
    production: bool
    used_by: list[str]
    sha256: str
    gone: bool


class AssetVersionRow(NamedTuple):
    ref: str
    owner: str
    since: int
    until: int | None
    sha256: str
