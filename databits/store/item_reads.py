"""What is asked of items: rows, pages, counts, texts."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    bindparam,
    func,
    or_,
    select,
)

from databits.errors import NotFound
from databits.model import Item
from databits.store.item_queries import (
    RAW,
    SHOWN,
    item_of,
    shown,
)
from databits.store.pages import oldest_first
from databits.store.prepared import Prepared
from databits.store.shapes import Filter, now
from databits.store.tables import items, records
from databits.store.transaction import Transaction

_ITEMS = TypeAdapter(list[Item])
COUNTED = 10_000  # items that are counted; a total of this means so many or more


def _clauses(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        found.append(items.c.state == wanted.state)
    if wanted.label is not None:
        found.append(func.coalesce(items.c.label, items.c.suggestion) == wanted.label)
    if wanted.min_confidence is not None:
        found.append(items.c.confidence >= wanted.min_confidence)
    if wanted.max_confidence is not None:
        found.append(items.c.confidence <= wanted.max_confidence)
    if wanted.contains:
        found.append(records.c.text.icontains(wanted.contains, autoescape=True))
    return found


@cache
def _page(given: tuple[str, ...]) -> Prepared:
    """A page of a Databit's items, with a parameter for each field of the filter that is given."""
    moment: Any = bindparam("moment", type_=BigInteger)
    query = shown(moment, masked=True).where(
        items.c.databit_id == bindparam("databit_id"),
        items.c.id > bindparam("after"),
        *_clauses(Filter(**{name: bindparam(name) for name in given})),  # type: ignore[arg-type]
    )
    return Prepared(lambda _: query.order_by(items.c.id).limit(bindparam("most")))


@cache
def _counted(given: tuple[str, ...]) -> Prepared:
    query = select(items.c.id).where(
        items.c.databit_id == bindparam("databit_id"),
        *_clauses(Filter(**{name: bindparam(name) for name in given})),  # type: ignore[arg-type]
    )
    some = query.limit(bindparam("most")).subquery()
    return Prepared(lambda _: select(func.count().label("found")).select_from(some))


def _free(databit_id: Any, moment: Any) -> Select[Any]:
    """Items that nobody holds, with their suggestions."""
    free = or_(items.c.held_until.is_(None), items.c.held_until < moment)
    return select(items.c.id, items.c.suggestion).where(items.c.databit_id == databit_id, free)


@cache
def _unclaimed(given: tuple[str, ...]) -> Prepared:
    moment: Any = bindparam("moment", type_=BigInteger)
    query = _free(bindparam("databit_id"), moment).where(
        *_clauses(Filter(**{name: bindparam(name) for name in given}))  # type: ignore[arg-type]
    )
    return Prepared(lambda _: query.order_by(items.c.id))


def _given(where: Filter) -> dict[str, Any]:
    """What a filter asks for, by name; whoever asks for texts with something in them goes another way."""
    return {k: v for k, v in where._asdict().items() if v is not None and k != "contains"}


class ItemReads:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def raw(self, ids: Sequence[int]) -> dict[int, Row[Any]]:
        """Rows by id; ids that do not exist are left out."""
        ahead = self._tx.ledger.ahead.items(ids)
        if ahead is not None:
            return ahead
        return {row.id: row for row in self._tx.fetch(RAW, ids=self._tx.driver.ids(ids))}

    def of_databit(self, databit_id: int, name: str, ids: Sequence[int]) -> dict[int, Row[Any]]:
        """The items, every one of which must be of this Databit.

        Raises:
            NotFound: naming up to five ids that are not.
        """
        found = {i: row for i, row in self.raw(ids).items() if row.databit_id == databit_id}
        missing = [str(i) for i in ids if i not in found]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise NotFound(
                f"{name} has no item {', '.join(missing[:5])}{more}; nothing was changed. "
                "list_items shows the ids of its items."
            )
        return found

    def page(self, databit_id: int, where: Filter, after: int, limit: int) -> list[Item]:
        if not where.contains:  # the usual one: SQLAlchemy writes it once
            given = _given(where)
            of = {"databit_id": databit_id, "after": after, "most": limit, "moment": now()}
            rows = self._tx.fetch(_page(tuple(given)), **of, **given)
            return _ITEMS.validate_python(rows, from_attributes=True)
        query = self._select().where(items.c.databit_id == databit_id, *_clauses(where))
        page = oldest_first(query, items.c.id, after, limit)
        return [item_of(row) for row in self._tx.rows(page)]

    def count(self, databit_id: int, where: Filter) -> int:
        """How many there are, up to `COUNTED`: counting more would take longer than a page."""
        if not where.contains:
            return self._tx.remember(
                ("items", databit_id, where), lambda: self._count(databit_id, where)
            )
        query = select(items.c.id).where(items.c.databit_id == databit_id, *_clauses(where))
        if where.contains:
            query = query.join(records, records.c.id == items.c.record_id)
        some = query.limit(COUNTED).subquery()
        return int(self._tx.value(select(func.count()).select_from(some)))

    def _count(self, databit_id: int, where: Filter) -> int:
        given = _given(where)
        of = {"databit_id": databit_id, "most": COUNTED}
        return int(self._tx.fetch(_counted(tuple(given)), **of, **given)[0].found)

    def unclaimed(self, databit_id: int, where: Filter) -> dict[int, str | None]:
        """The items that the filter means and nobody holds, in order of id, with their suggestions."""
        if not where.contains:
            given = _given(where)
            of = {"databit_id": databit_id, "moment": now()}
            return self._tx.pairs(_unclaimed(tuple(given)), **of, **given)
        found = self._tx.rows(
            _free(databit_id, now())
            .join(records, records.c.id == items.c.record_id)
            .where(*_clauses(where))
            .order_by(items.c.id)
        )
        return {row.id: row.suggestion for row in found}

    def get(self, item_id: int) -> Item:
        row = self._tx.one(self._select().where(items.c.id == item_id))
        if row is None:
            raise NotFound("There is no item of that id. list_items shows the items of a Databit.")
        return item_of(row)

    def by_ids(self, ids: Sequence[int]) -> list[Item]:
        """The items in the order of `ids`."""
        rows = self._tx.fetch(SHOWN, ids=self._tx.driver.ids(ids), moment=now())
        found = {row.id: item_of(row) for row in rows}
        return [found[i] for i in ids if i in found]

    def status(self, databit_id: int) -> dict[str, Any]:
        """Counts by state, label and reviewer."""
        mine = items.c.databit_id == databit_id
        states = self._tx.rows(
            select(items.c.state, func.count().label("n")).where(mine).group_by(items.c.state)
        )
        by_label = self._tx.rows(
            select(items.c.label, func.count().label("n"))
            .where(mine, items.c.state == "approved")
            .group_by(items.c.label)
            .order_by(func.count().desc(), items.c.label)
        )
        by_reviewer = self._tx.rows(
            select(items.c.decided_by, func.count().label("n"))
            .where(mine, items.c.decided_by.is_not(None))
            .group_by(items.c.decided_by)
            .order_by(items.c.decided_by)
        )
        suggested = self._tx.count(
            items, mine, items.c.suggestion.is_not(None), items.c.state == "open"
        )
        claimed = self._tx.count(items, mine, items.c.held_until >= now())
        return {
            **dict.fromkeys(("open", "labeled", "approved", "rejected", "skipped"), 0),
            **{row.state: row.n for row in states},
            "suggested": suggested,
            "claimed": claimed,
            "by_label": {row.label: row.n for row in by_label},
            "by_reviewer": {row.decided_by: row.n for row in by_reviewer},
        }

    def training_rows(self, databit_id: int) -> Sequence[Row[Any]]:
        """(item_id, record_id, label, text) of the approved items, by item."""
        return self._tx.rows(
            select(items.c.id.label("item_id"), items.c.record_id, items.c.label, records.c.text)
            .join(records, records.c.id == items.c.record_id)
            .where(items.c.databit_id == databit_id, items.c.state == "approved")
            .order_by(items.c.id)
        )

    def texts(self, databit_id: int) -> list[str]:
        """The text of every item of a Databit."""
        query = (
            select(records.c.text)
            .join(items, items.c.record_id == records.c.id)
            .where(items.c.databit_id == databit_id)
        )
        return [row.text for row in self._tx.rows(query)]

    def open_rows(self, databit_id: int, only_new: bool) -> Sequence[Row[Any]]:
        """(item_id, record_id, text) of the undecided items; `only_new`: those with no suggestion."""
        query = (
            select(items.c.id.label("item_id"), items.c.record_id, records.c.text)
            .join(records, records.c.id == items.c.record_id)
            .where(items.c.databit_id == databit_id, items.c.state == "open")
            .order_by(items.c.id)
        )
        return self._tx.rows(query.where(items.c.suggestion.is_(None)) if only_new else query)

    def _select(self) -> Select[Any]:
        return shown(now())
