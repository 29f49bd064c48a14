"""How items are read: statements written once, and their rows as items."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    literal_column,
    select,
    union_all,
)

from databits.model import Item
from databits.store.driver import Prepared, among
from databits.store.tables import databits, items, records


def item_of(row: Any) -> Item:
    found = Item.model_validate(row)
    return found if row.held else found.model_copy(update={"held_by": None})


def claimed(row: Any, holder: str) -> Item:
    """A row of `HELD` or `FREE` as it is once claimed; every value comes from a typed column."""
    return Item.model_construct(
        id=row.id,
        databit=row.databit,
        state=row.state,
        text=row.text,
        label=row.label,
        suggestion=row.suggestion,
        confidence=row.confidence,
        why=row.why,
        held_by=holder,
    )


def shown(moment: Any) -> Select[Any]:
    holder = and_(items.c.held_until.is_not(None), items.c.held_until >= moment)
    return (
        select(
            items.c.id,
            databits.c.name.label("databit"),
            items.c.state,
            records.c.text,
            items.c.label,
            items.c.suggestion,
            items.c.confidence,
            items.c.why,
            items.c.held_by,
            holder.label("held"),
        )
        .join(databits, databits.c.id == items.c.databit_id)
        .join(records, records.c.id == items.c.record_id)
    )


def best_first(row: Any) -> tuple[float, int]:
    return -row.priority, row.id


def _claimable(databit_id: ColumnElement[Any], *where: Any) -> Select[Any]:
    """Open items, with what a claim changes and shows, each query worded for a partial index.

    A bound `state` would hide the index, and `+ 0` does hide one that must not be chosen.
    """
    return (
        shown(bindparam("moment", type_=BigInteger))
        .add_columns(items.c.held_until, items.c.priority)
        .where(
            databit_id == bindparam("databit_id"),
            items.c.state == literal_column("'open'"),
            *where,
        )
    )


def _next(databit_id: ColumnElement[Any], *where: Any) -> Select[Any]:
    return (
        _claimable(databit_id, *where)
        .order_by(items.c.priority.desc(), items.c.id)
        .limit(bindparam("count"))
    )


RAW = Prepared(lambda sqlite: select(items).where(among(items.c.id, sqlite)))
QUEUED = Prepared(
    lambda sqlite: select(items.c.record_id).where(
        items.c.databit_id == bindparam("databit_id"), among(items.c.record_id, sqlite)
    )
)
SHOWN = Prepared(
    lambda sqlite: shown(bindparam("moment", type_=BigInteger)).where(among(items.c.id, sqlite))
)
# What the person holds, and the best of what somebody held for too long.
HELD = Prepared(
    lambda _: union_all(
        select(
            _claimable(
                items.c.databit_id + 0,
                items.c.held_by == bindparam("actor"),
                items.c.held_until >= bindparam("moment"),
            ).subquery()
        ),
        select(
            _next(
                items.c.databit_id + 0,
                items.c.held_by.is_not(None),
                items.c.held_until < bindparam("moment"),
            ).subquery()
        ),
    )
)
FREE = Prepared(
    lambda _: _next(items.c.databit_id, items.c.held_by.is_(None)).with_for_update(
        skip_locked=True, of=items
    )
)
