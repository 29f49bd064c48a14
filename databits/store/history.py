"""The list of changes as a person reads it: filtered, in words, with what stands in the way of an undo."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, exists, func, or_, select, union

from databits.errors import DatabitsError
from databits.model import Change
from databits.store.changes import Changes, Effect
from databits.store.item_history import ItemHistory
from databits.store.names import in_words
from databits.store.pages import count_of, newest_first, newest_of
from databits.store.shapes import Event, ListedChange, Node, Wanted
from databits.store.tables import (
    audit,
    change_rows,
    changes,
    databit_versions,
    databits,
    datasets,
    endpoints,
    evaluations,
    feedback,
    items,
    labels,
    models,
    records,
    routes,
    sources,
    suggestions,
    tool_versions,
)
from databits.store.transaction import Transaction

COUNTED = 1_000  # changes that are counted; a total of this means so many or more
_IMAGES = 200  # images of a change that its words are made of
_FEW = 10_000  # items of a Databit up to which they are followed to their changes
_FOLLOWED = 5_000  # rows of a change up to which an undo is tried out in a list
# What a change is about comes first, what merely goes with it last.
_ORDER = ("endpoints", "models", "datasets", "databits", "sources", "feedback", "items", "records")


class History:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def page(self, wanted: Wanted, after: int, limit: int) -> list[ListedChange]:
        """Newest first; `after` is the id that the page before ended with, 0 for the first."""
        rows = self._newest(wanted, after, limit)
        past = Changes(self._tx)
        newest, effects = past.newest(), past.effects([r.id for r in rows if r.rows <= _IMAGES])
        return [self._listed(row, effects.get(row.id), newest) for row in rows]

    def _newest(self, wanted: Wanted, after: int, limit: int) -> Sequence[Row[Any]]:
        query = select(changes).where(*self._where(wanted))
        if wanted.actor is None and wanted.operation is None:
            return self._tx.rows(newest_first(query, changes.c.id, after, limit))
        query = query.join(audit, audit.c.change_id == changes.c.id)
        if after:  # events of changes are in the order of the changes
            before = select(audit.c.id).where(audit.c.change_id < after)
            newest = self._tx.value(before.order_by(audit.c.change_id.desc()).limit(1))
            if newest is None:
                return []
            after = int(newest) + 1
        if wanted.actor is not None:
            return newest_of(self._tx, query, audit, after, limit)
        return self._tx.rows(newest_first(query, audit.c.id, after, limit))

    def count(self, wanted: Wanted) -> int:
        """How many there are, up to `COUNTED`."""
        query = select(changes.c.id).where(*self._where(wanted))
        by = Wanted(actor=wanted.actor, operation=wanted.operation)
        if by != Wanted():
            query = query.join(audit, audit.c.change_id == changes.c.id)
            if by == wanted:  # their events alone say it
                has_one = audit.c.change_id.is_not(None)
                query = select(audit.c.id).where(*self._where(wanted), has_one)
        if wanted.actor is not None:
            return count_of(self._tx, query, audit, COUNTED)
        return self._tx.count(query.limit(COUNTED).subquery())  # type: ignore[arg-type]

    def _where(self, wanted: Wanted) -> list[ColumnElement[bool]]:
        """Who did what is asked of the event of each change: the audit log has the indexes for it."""
        found: list[ColumnElement[bool]] = []
        for column, value in (
            (audit.c.actor, wanted.actor),
            (audit.c.operation, wanted.operation),
            (changes.c.state, wanted.state),
        ):
            if value is not None:
                found.append(column == value)
        if wanted.since is not None:
            found.append(changes.c.at >= wanted.since)
        if wanted.until is not None:
            found.append(changes.c.at < wanted.until)
        if wanted.asset is not None:
            found.append(self._touched(wanted.asset))
        return found

    def _touched(self, asset: Node) -> ColumnElement[bool]:
        """Changes that touched a row of an asset that is there now.

        Few rows lead to their changes. Of a Databit with many items, each change is asked whether
        it has one, newest first, because a page ends after a few.
        """
        parts = [part for column in _ROWS[asset.kind] for part in _changes_of(column, asset.id)]
        if asset.kind == "source":
            parts.append(_ranges_with(records.c.source_id, asset.id, only_ranges=False))
        if asset.kind == "databit":
            mine = select(items.c.id).where(items.c.databit_id == asset.id)
            some = mine.limit(_FEW + 1).subquery()
            if self._tx.value(select(func.count()).select_from(some)) > _FEW:
                return or_(changes.c.id.in_(union(*parts)), _has_item(asset.id))
            image = change_rows.c
            parts.append(
                select(image.change_id).where(
                    image.table_name == items.name, image.row_id.in_(mine)
                )
            )
            parts.append(_ranges_with(items.c.databit_id, asset.id, only_ranges=True))
        return changes.c.id.in_(union(*parts))

    def _listed(self, row: Row[Any], effects: Sequence[Effect] | None, newest: int) -> ListedChange:
        """A change in a list.

        Args:
            effects: What it did; None where that is much, and not read yet.
        """
        parts = self._parts(row.id) if effects is None else [(e.table, e.ids) for e in effects]
        blocked = self._blocked(row, effects, newest)
        return ListedChange(
            **row._asdict(),
            what=self._in_words(parts, row.rows),
            undoable=not blocked if blocked is not None else None,
            blocked=blocked or "",
        )

    def _parts(self, change_id: int) -> list[tuple[str, range]]:
        """The first rows that a change touched, by table."""
        found = self._tx.rows(
            select(change_rows.c.table_name, change_rows.c.row_id, change_rows.c.last_id)
            .where(change_rows.c.change_id == change_id)
            .order_by(change_rows.c.id)
            .limit(_IMAGES + 1)
        )
        return [(r.table_name, range(r.row_id, (r.last_id or r.row_id) + 1)) for r in found]

    def _in_words(self, parts: Sequence[tuple[str, range]], rows: int) -> str:
        """What a change touched: `dataset support@2, 60 rows of datasets (…)`."""
        touched: dict[str, dict[int, None]] = {}
        counts: dict[str, int] = {}
        seen: set[tuple[str, int]] = set()
        for table, ids in parts[:_IMAGES]:
            touched.setdefault(table, {}).update(dict.fromkeys(ids[:5]))
            if (table, ids[0]) not in seen:
                seen.add((table, ids[0]))
                counts[table] = counts.get(table, 0) + len(ids)
        told = [
            in_words(self._tx, table, list(touched[table]), counts[table])
            for table in sorted(touched, key=_rank)
        ]
        if len(parts) > _IMAGES:
            known = max(0, rows - sum(counts.values()))
            told.append(f"{known:,} rows more")
        return ", ".join(dict.fromkeys(told))

    def _blocked(self, row: Row[Any], effects: Sequence[Effect] | None, newest: int) -> str | None:
        """Why a change can not be undone now, as undo_change says it; None when it is too large."""
        if row.rows > _FOLLOWED and row.state != "undone":
            return None
        past = Changes(self._tx)
        if effects is None and row.state != "undone":
            effects = past.effects([row.id])[row.id]
        try:
            past.refuse_if_not_undoable(Change.model_validate(row), effects or (), newest)
        except DatabitsError as error:
            return str(error)
        return ""

    def item(self, item_id: int) -> list[Event]:
        """Everything that happened to an item, oldest first."""
        return ItemHistory(self._tx).of(item_id)


def _rank(table: str) -> int:
    return _ORDER.index(table) if table in _ORDER else len(_ORDER)


def _changes_of(column: Column[Any], asset_id: int) -> list[Select[Any]]:
    """Ids of the changes with an image of a row in which `column` is the asset, or of a range of them."""
    mine = select(column.table.c.id).where(column == asset_id)
    rows, image = mine.subquery(), change_rows.c
    here = image.table_name == column.table.name
    return [
        select(image.change_id).where(here, image.row_id.in_(mine)),
        select(image.change_id)
        .join(rows, (image.row_id <= rows.c.id) & (image.last_id >= rows.c.id))
        .where(here),
    ]


def _ranges_with(column: Column[Any], asset_id: int, *, only_ranges: bool) -> Select[Any]:
    """Ids of the changes whose images of a table hold a row in which `column` is the asset.

    It looks at every image of the table, or every range: for tables that are written in batches.
    """
    image = change_rows.c
    found = select(image.change_id).where(
        image.table_name == column.table.name, _holds_one(column, asset_id)
    )
    return found.where(image.last_id.is_not(None)) if only_ranges else found


def _has_item(databit_id: int) -> ColumnElement[bool]:
    """Whether a change has an image of an item of the Databit."""
    image = change_rows.c
    return exists(
        select(image.id).where(
            image.change_id == changes.c.id,
            image.table_name == items.name,
            _holds_one(items.c.databit_id, databit_id),
        )
    )


def _holds_one(column: Column[Any], asset_id: int) -> ColumnElement[bool]:
    """Whether an image is of a row, or a range with a row, in which `column` is the asset.

    Asked as the first such row from the image on: a join of the two makes PostgreSQL read all rows.
    """
    image, row = change_rows.c, column.table.c.id
    first = select(row).where(column == asset_id, row >= image.row_id).order_by(row).limit(1)
    last = func.coalesce(image.last_id, image.row_id)
    return first.correlate(change_rows).scalar_subquery() <= last


# kind → the columns that make rows of a table those of an asset
_ROWS: dict[str, tuple[Column[Any], ...]] = {
    "source": (sources.c.id,),
    "record": (records.c.id, items.c.record_id),
    "item": (items.c.id, labels.c.item_id, suggestions.c.item_id),
    "databit": (databits.c.id, databit_versions.c.databit_id, datasets.c.databit_id),
    "dataset": (datasets.c.id,),
    "model": (models.c.id, evaluations.c.model_id, routes.c.model_id),
    "endpoint": (endpoints.c.id, routes.c.endpoint_id),
    "request": (feedback.c.request_id,),
    "feedback": (feedback.c.id, items.c.feedback_id),
    "tool": (tool_versions.c.id,),
}
