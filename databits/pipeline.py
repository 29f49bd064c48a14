"""The seven stages of a Databit at a glance."""

from typing import Literal, NamedTuple

from pydantic import BaseModel

from databits.store import Store

State = Literal["done", "current", "waiting"]


class Stage(BaseModel):
    name: str
    state: State
    fact: str
    """What is there, in a few words."""
    next: str
    """What would take the stage further."""


def stages(store: Store, databit: str | None) -> list[Stage]:
    """Each stage with what it holds; the first that is not done is the current one."""
    records = store.records.count()
    counts = _counts(store, databit)
    endpoint = counts.endpoint
    requests = store.endpoints.get(endpoint).requests if endpoint else 0
    name = databit or "a Databit"
    found = [
        ("data", records > 0, f"{records:,} records", "Import a file or a folder."),
        (
            "template",
            databit is not None,
            f"Databit {name} {counts.version}" if databit else "no Databit",
            "Create a Databit with its labels.",
        ),
        (
            "curate",
            counts.approved >= 10 and counts.open == 0,
            f"{counts.approved:,} approved, {counts.open:,} open",
            f"Queue records for {name}."
            if not counts.items
            else f"Pre-label {name} and review its items.",
        ),
        (
            "train",
            bool(counts.model),
            f"model {counts.model}" if counts.model else "no model",
            f"Assemble a dataset from {name} and train on it.",
        ),
        (
            "deploy",
            endpoint is not None,
            f"endpoint {endpoint}" if endpoint else "no endpoint",
            f"Deploy {counts.model or 'the model'}.",
        ),
        (
            "monitor",
            requests > 0,
            f"{requests:,} requests",
            f"Ask {endpoint or 'the endpoint'} about new texts, then check its metrics and drift.",
        ),
        (
            "improve",
            counts.candidates > 0,
            f"{counts.candidates:,} candidates from production",
            f"Record feedback, then extract candidates from {endpoint or 'the endpoint'}.",
        ),
    ]
    first = next((n for n, (_, done, _, _) in enumerate(found) if not done), len(found))
    return [
        Stage(
            name=stage,
            state="done" if done else "current" if n == first else "waiting",
            fact=fact,
            next=todo,
        )
        for n, (stage, done, fact, todo) in enumerate(found)
    ]


class _Counts(NamedTuple):
    version: str = ""
    items: int = 0
    approved: int = 0
    open: int = 0
    candidates: int = 0
    model: str | None = None
    endpoint: str | None = None


def _counts(store: Store, databit: str | None) -> _Counts:
    if databit is None:
        return _Counts()
    target = store.databits.get(databit)
    status = store.items.status(target.databit_id)
    return _Counts(
        version=target.version,
        items=sum(
            status[state] for state in ("open", "labeled", "approved", "rejected", "skipped")
        ),
        approved=status["approved"],
        open=status["open"] + status["labeled"],
        candidates=store.feedback.count_candidates(target.databit_id),
        model=store.models.newest_of(target.databit_id),
        endpoint=store.endpoints.newest_of(target.databit_id),
    )
