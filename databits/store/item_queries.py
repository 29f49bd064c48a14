"""How items are read: statements written once, and their rows as items."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    select,
    true,
    union_all,
)

from databits.model import Item
from databits.store.prepared import Prepared, among
from databits.store.tables import databits, items, records


def item_of(row: Any) -> Item:
    found = Item.model_validate(row)
    return found if row.held else found.model_copy(update={"held_by": None})


def claimed(row: Any, holder: str) -> Item:
    """A row of `HELD` or `FREE` as it is once claimed."""
    return Item.model_validate({**row._asdict(), "held_by": holder})


def shown(moment: Any, *, masked: bool = False) -> Select[Any]:
    """Items as callers see them.

    Args:
        masked: Leave out who held an item until their claim expired; else `item_of` does.
    """
    holder = and_(items.c.held_until.is_not(None), items.c.held_until >= moment)
    held_by = case((holder, items.c.held_by)).label("held_by") if masked else items.c.held_by
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
            held_by,
            holder.label("held"),
        )
        .join(databits, databits.c.id == items.c.databit_id)
        .join(records, records.c.id == items.c.record_id)
    )


def best_first(row: Any) -> tuple[float, int]:
    return -row.priority, row.id


def _open(*where: Any) -> Select[Any]:
    """Open items, with what a claim changes and shows, each query worded for a partial index.

    A bound `state` would hide the index, and `+ 0` does hide one that must not be chosen.
    """
    return (
        shown(bindparam("moment", type_=BigInteger))
        .add_columns(items.c.held_until, items.c.priority)
        .where(items.c.state == literal_column("'open'"), *where)
    )


def _claimable(databit_id: ColumnElement[Any], *where: Any) -> Select[Any]:
    return _open(databit_id == bindparam("databit_id"), *where)


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
# The same for a group of claims: what these people hold, and the best that has expired anywhere.
_EXPIRED = and_(items.c.held_by.is_not(None), items.c.held_until < bindparam("moment"))


def _expired(sqlite: bool) -> Select[Any]:
    named = select(databits.c.id).where(among(databits.c.name, sqlite, name="names"))
    rank = func.row_number().over(
        partition_by=items.c.databit_id, order_by=(items.c.priority.desc(), items.c.id)
    )
    ranked = select(items.c.id, rank.label("rank")).where(
        _EXPIRED, items.c.state == literal_column("'open'"), (items.c.databit_id + 0).in_(named)
    )
    best = ranked.subquery()
    return select(best.c.id).where(best.c.rank <= bindparam("count"))


CLAIMED = Prepared(
    lambda sqlite: union_all(
        _open(
            items.c.held_by.is_not(None),
            among(items.c.held_by, sqlite, name="holders"),
            items.c.held_until >= bindparam("moment"),
        ),
        _open(items.c.id.in_(_expired(sqlite))),
    )
)


def _free(databit_id: Any, count: Any) -> Select[Any]:
    return (
        _open(items.c.databit_id == databit_id, items.c.held_by.is_(None))
        .order_by(items.c.priority.desc(), items.c.id)
        .limit(count)
        .with_for_update(skip_locked=True, of=items)
    )


def _free_of_one(_: bool) -> Select[Any]:
    mine = select(databits.c.id).where(databits.c.name == bindparam("name"))
    return _free(mine.scalar_subquery(), bindparam("count"))


def _free_of_several(_: bool) -> Select[Any]:
    names = bindparam("names", type_=ARRAY(Text))
    counts = bindparam("counts", type_=ARRAY(BigInteger))
    asked = func.unnest(names, counts).table_valued("name", "count", name="asked")
    each, named = asked.render_derived(), databits.alias("named")
    free = _free(named.c.id, each.c.count).lateral("free")
    whose = each.join(named, named.c.name == each.c.name)
    return select(free).select_from(whose.join(free, true()))


# `FREE` of a Databit by name.
NEXT = Prepared(_free_of_one)
# The same of several Databits at once, in no order; PostgreSQL's way to say it.
NEXT_OF_SEVERAL = Prepared(_free_of_several)
FREE = Prepared(lambda _: _free(bindparam("databit_id"), bindparam("count")))
