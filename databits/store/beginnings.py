"""Names and ids that begin with what somebody has typed so far."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, String, cast, func, select, union_all

from databits.model import NameKind
from databits.store.tables import (
    databit_versions,
    databits,
    datasets,
    endpoints,
    items,
    models,
    runs,
    sources,
)
from databits.store.transaction import Transaction

COUNTED = 1_000
_DIGITS = 18  # of the largest id


class Found(NamedTuple):
    values: list[str]
    total: int | None
    """How many there are; None: more than `COUNTED`."""


class Only(NamedTuple):
    """Databits whose items may be named."""

    of: Collection[int]
    all_but: bool
    """Whether `of` are those that may not."""


def beginning(
    tx: Transaction,
    kind: NameKind,
    typed: str,
    limit: int,
    *,
    of: str = "",
    only: Only | None = None,
) -> Found:
    """What there is of a kind that begins with `typed`: by name, or the newest first.

    Args:
        of: The Databit or the model whose versions or numbers these are.
    """
    query = _items(tx, typed, only) if kind == "item" else _query(kind, of)
    named = query.subquery()
    word = named.c.word
    # Ranges have found the items; a scan of all ids as texts would not do for a million.
    begins = [] if kind == "item" else [word.startswith(typed, autoescape=True)]
    some = select(word).where(*begins).limit(COUNTED + 1).subquery()
    total = int(tx.value(select(func.count()).select_from(some)))
    rows = tx.rows(select(word).where(*begins).order_by(named.c.place).limit(limit))
    return Found([str(row.word) for row in rows], total if total <= COUNTED else None)


def _query(kind: NameKind, of: str) -> Select[Any]:
    """(word, place in the order) of all that there is of a kind."""
    named = {"databit": databits, "endpoint": endpoints, "source": sources}
    if kind in named:
        name = named[kind].c.name
        return select(name.label("word"), name.label("place"))
    if kind == "version":
        of_databit = databits.c.id == databit_versions.c.databit_id
        query = _newest(databit_versions.c.version, databit_versions.c.id)
        return query.join(databits, of_databit).where(databits.c.name == of)
    if kind in ("dataset", "dataset_number"):
        number = _text(datasets.c.number)
        word = databits.c.name + "@" + number if kind == "dataset" else number
        query = _newest(word, datasets.c.id).select_from(datasets.join(databits))
        return query if kind == "dataset" else query.where(databits.c.name == of)
    if kind == "model":
        return select(models.c.name.label("word"), models.c.name.label("place")).distinct()
    if kind == "model_ref":
        return _newest(models.c.name + "@" + _text(models.c.version), models.c.id)
    if kind == "model_version":
        return _newest(_text(models.c.version), models.c.id).where(models.c.name == of)
    return _newest(_text(runs.c.id), runs.c.id)


def _items(tx: Transaction, typed: str, only: Only | None) -> Any:
    within: list[Any] = []
    if only is not None:
        mine = items.c.databit_id.in_(only.of)
        within.append(~mine if only.all_but else mine)
    query = select(_text(items.c.id).label("word"), items.c.id.label("place")).where(*within)
    if not typed:
        return query
    newest = int(tx.value(select(func.max(items.c.id))) or 0)
    # A query each, and none longer than is counted: one condition for all made SQLite read every id.
    parts = [
        select(
            query.where(items.c.id >= low, items.c.id < high)
            .order_by(items.c.id)
            .limit(COUNTED + 1)
            .subquery()
        )
        for low, high in _ranges(typed)
        if low <= newest
    ]
    return union_all(*parts) if parts else query.where(items.c.id < 0)


def _ranges(typed: str) -> Sequence[tuple[int, int]]:
    """Where the numbers lie that begin with these digits: 12, 120 to 129, 1200 to 1299 …"""
    if not (typed.isascii() and typed.isdigit()) or typed.startswith("0") or len(typed) > _DIGITS:
        return []
    start = int(typed)
    more = range(_DIGITS - len(typed) + 1)
    return [(start * 10**n, (start + 1) * 10**n) for n in more]


def _newest(word: Any, key: Any) -> Select[Any]:
    return select(word.label("word"), (-key).label("place"))


def _text(column: Any) -> Any:
    return cast(column, String)
