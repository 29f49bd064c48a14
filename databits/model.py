"""The nouns of the workbench, as callers see them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from databits.actor import Role

ItemState = Literal["open", "labeled", "approved", "rejected", "skipped"]
RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
PlanState = Literal["pending", "approved", "rejected", "executed", "stale", "expired"]
NameKind = Literal[
    "databit",
    "version",
    "dataset",
    "dataset_number",
    "model",
    "model_ref",
    "model_version",
    "endpoint",
    "source",
    "run",
    "item",
]
"""What can be completed from its beginning."""
T = TypeVar("T")


def _moment(value: Any) -> Any:
    """Microseconds since the epoch, as the store keeps them, to an aware datetime."""
    return datetime.fromtimestamp(value / 1e6, UTC) if isinstance(value, int) else value


UNTRUSTED = "untrusted"
"""In the metadata of a field: its texts came from files or requests, so they are data, whatever they
say. Surfaces mark them for models and quote them for people."""
Untrusted = Annotated[str, UNTRUSTED]
UntrustedFields = Annotated[dict[str, Any], UNTRUSTED]


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Noun(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="ignore", protected_namespaces=())


class Names(Noun):
    """Up to a hundred names that begin with what was typed."""

    values: list[str]
    total: int | None = Field(None, description="How many there are; None: very many")


class Changed(Noun):
    """What every write returns: `undo_change` takes the id."""

    change_id: int = Field(0, description="For undo_change; 0: nothing to undo")


class Page(Noun, Generic[T]):
    """Some rows of a list; `next` is `after` of the next page, None on the last."""

    rows: list[T]
    total: int
    next: int | None = None

    @classmethod
    def of(cls, found: Sequence[tuple[int, T]], limit: int, total: int) -> "Page[T]":
        """A page of at most `limit` of the (id, row) pairs; one more than that says it goes on."""
        here = found[:limit]
        more = len(found) > limit
        return cls(rows=[row for _, row in here], total=total, next=here[-1][0] if more else None)


def every(page: Callable[[int], Page[T]]) -> Iterator[T]:
    """The rows of a whole list, asked for page by page; `page` takes the `after` of one."""
    after: int | None = 0
    while after is not None:
        found = page(after)
        yield from found.rows
        after = found.next


class Source(Noun):
    id: int
    name: str
    path: Untrusted
    records: int
    created_at: Moment


class Record(Noun):
    id: int
    source: str
    position: int
    text: Untrusted
    fields: UntrustedFields = {}
    origin: UntrustedFields = {}


class Databit(Noun):
    name: str
    version: str
    status: str
    labels: list[str]
    items: int = 0
    approved: int = 0
    created_at: Moment


class Item(Noun):
    id: int
    databit: str
    state: ItemState
    text: Untrusted
    label: str | None = None
    suggestion: str | None = None
    confidence: float | None = None
    why: str | None = Field(None, description="Why this item is in the queue")
    held_by: str | None = Field(None, description="Who has claimed it")


class QueueStatus(Noun):
    databit: str
    open: int
    labeled: int
    approved: int
    rejected: int
    skipped: int
    suggested: int
    claimed: int
    by_label: dict[str, int]
    by_reviewer: dict[str, int]


class Interval(Noun):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Dataset(Noun):
    name: str
    databit: str
    rows: int
    splits: dict[str, int]
    labels: dict[str, int]
    sha256: str
    created_at: Moment


class Model(Noun):
    name: str
    dataset: str
    strategy: str
    labels: list[str]
    accuracy: Interval | None = None
    uri: str
    mlflow_run: str
    created_at: Moment


class Endpoint(Noun):
    name: str
    status: str
    model: str | None
    path: str
    requests: int = 0
    created_at: Moment


class Run(Noun):
    """A long operation: queued, then executed by a worker."""

    id: int
    operation: str
    state: RunState
    progress: float = Field(0, description="0 to 1")
    message: str = ""
    error: str | None = None
    result: dict[str, Any] | None = None
    actor: str
    attempts: int = Field(0, description="How often it was begun")
    not_before: Moment | None = Field(None, description="When it is tried again, after a failure")
    wall_s: float | None = Field(None, description="Seconds it took, all attempts")
    cpu_s: float | None = Field(None, description="Processor seconds")
    log: list[str] = Field([], description="Its last lines; only get_run gives them")
    created_at: Moment
    updated_at: Moment | None = Field(None, description="When its log last grew; from get_run")
    finished_at: Moment | None = None


class Plan(Noun):
    """What a consequential call would do, waiting for a person."""

    id: int
    operation: str
    arguments: dict[str, Any]
    summary: str
    count: int
    sample: list[str]
    cost: str
    irreversible: str
    state: PlanState
    asked_by: str
    decided_by: str | None = None
    digest: str = Field(description="Hash of the arguments and of the state the plan was made from")
    expires_at: Moment


class Planned(Noun):
    """The answer to a consequential call that no person has approved yet."""

    plan: Plan
    next: str


class Change(Noun):
    id: int
    operation: str
    actor: str
    surface: str
    state: Literal["applied", "undone"]
    rows: int
    undo_of: int | None = None
    at: Moment


class PersonGrant(Noun):
    role: Role
    databit: str | None = Field(None, description="None: in the whole workspace")


class Person(Noun):
    name: str
    disabled: bool = False
    password: bool = Field(False, description="Has one, and so can sign in")
    grants: list[PersonGrant] = []
    created_at: Moment


class Token(Noun):
    """A bearer token as its owner sees it; the secret is shown once, when it is made."""

    id: int
    name: str
    person: str
    role: Role = Field(description="What it may do at most")
    toolsets: list[str] | None = Field(None, description="Stages it may use; None: all")
    state: Literal["works", "expired", "revoked"]
    created_by: str
    created_at: Moment
    expires_at: Moment
    used_at: Moment | None = None


class Policy(Noun):
    kind: Literal["four_eyes", "separation"]
    subject: str = Field(description="An operation or a Databit; *: all")


class AuditEvent(Noun):
    id: int
    at: Moment
    actor: str
    role: str
    surface: str
    client: str
    operation: str
    outcome: str
    detail: str
    change_id: int | None = None
    run_id: int | None = None
    plan_id: int | None = None
    trace_id: str | None = None
    hash: str
