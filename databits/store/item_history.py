"""What happened to an item: every value its label ever had, rebuilt from the images of its row.

Decisions that were undone are gone from `labels` and `suggestions`, but not from the changes, so
they stay in the history, marked as undone.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, select, union_all

from databits.store.names import span
from databits.store.shapes import Event
from databits.store.tables import (
    audit,
    change_rows,
    changes,
    feedback,
    items,
    labels,
    metadata,
    records,
    requests,
    sources,
    suggestions,
)
from databits.store.transaction import Transaction

_OF: ColumnElement[str] = change_rows.c.table_name.concat("")
"""The table of an image, where the change leads to it: SQLite would go by the table, over all its images."""


class ItemHistory:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._clients: dict[int, str] = {}
        self._decisions: dict[Any, dict[str, Any]] = {}
        self._given: dict[Any, dict[str, Any]] = {}

    def of(self, item_id: int) -> list[Event]:
        """Oldest first; who only claimed or released the item is left out."""
        images = self._images(item_id)
        ids = sorted({row.change_id for row in images})
        self._clients = self._clients_of(ids)
        self._decisions = {r["change_id"]: r for r in self._rows_of(labels.name, item_id, ids)}
        self._given = {r["id"]: r for r in self._rows_of(suggestions.name, item_id, ids)}
        events = [self._queued(item_id, row) for row in images if row.kind == "insert"][:1]
        now = _Until()
        for row in images:
            set_now = (row.after or {}).keys() if row.kind == "update" else ()
            if row.undo_of is not None and {"label", "suggestion"} & set(set_now):
                events.append(self._undone(row, now))
            elif "suggestion_id" in set_now:
                events.append(self._suggested(row, now))
            elif "state" in set_now:
                events.append(self._decided(row, now))
        return events

    def _undone(self, row: Row[Any], now: "_Until") -> Event:
        """What an undo, or the undo of an undo, made of the item."""
        about = "label" if "label" in row.after else "suggestion"
        before = getattr(now, about)
        now.take(row.after)
        return Event(
            **self._common(row),
            kind="undone",
            by=row.actor,
            label=getattr(now, about),
            before=before,
            state=now.state,
            note=f"Undid change {row.undo_of}.",
        )

    def _suggested(self, row: Row[Any], now: "_Until") -> Event:
        before = now.suggestion
        now.take(row.after)
        made = self._given.get(row.after["suggestion_id"], {})
        sure = row.after.get("confidence")
        return Event(
            **{**self._common(row), "run": made.get("run_id") or row.run_id},
            kind="suggested",
            by=made.get("engine", row.actor),
            label=now.suggestion,
            before=before,
            source=f"suggestion {row.after['suggestion_id']}",
            note=(f"{sure:.0%} sure. " if sure is not None else "") + made.get("rationale", ""),
        )

    def _decided(self, row: Row[Any], now: "_Until") -> Event:
        before, suggestion = now.label, now.suggestion_id
        now.take(row.after)
        made = self._decisions.get(row.change_id, {})
        agrees = now.label is not None and now.label == now.suggestion
        return Event(
            **self._common(row),
            kind=made.get("kind", row.operation),
            by=row.after.get("decided_by") or row.actor,
            label=now.label,
            before=before,
            state=now.state,
            source=f"suggestion {suggestion}" if agrees else "",
            note=made.get("reason", ""),
        )

    def _common(self, row: Row[Any]) -> dict[str, Any]:
        return {
            "at": row.at,
            "via": row.surface,
            "client": self._clients.get(row.change_id, ""),
            "change": row.change_id,
            "run": row.run_id,
            "undone": row.state == "undone",
        }

    def _queued(self, item_id: int, row: Row[Any]) -> Event:
        """How the item came to be."""
        origin = self._tx.one(
            select(
                sources.c.name,
                records.c.position,
                records.c.origin,
                items.c.feedback_id,
                items.c.why,
                requests.c.request_id,
            )
            .select_from(items)
            .join(records, records.c.id == items.c.record_id)
            .join(sources, sources.c.id == records.c.source_id)
            .outerjoin(feedback, feedback.c.id == items.c.feedback_id)
            .outerjoin(requests, requests.c.id == feedback.c.request_id)
            .where(items.c.id == item_id)
        )
        source = span(origin.name, origin.position, origin.origin) if origin else ""
        if origin is not None and origin.feedback_id is not None:
            source = f"feedback {origin.feedback_id} on request {origin.request_id}"
        note = origin.why or "" if origin else ""
        told = {"kind": "queued", "by": row.actor, "state": "open", "source": source, "note": note}
        return Event(**{**self._common(row), **told})

    def _images(self, item_id: int) -> list[Row[Any]]:
        """The images of an item's row with their changes, in the order in which they came."""
        of_items = change_rows.c.table_name == items.name
        # Two searches: as one with OR, it would go over the images of all earlier items.
        own = select(change_rows.c.id).where(of_items, change_rows.c.row_id == item_id)
        within = select(change_rows.c.id).where(
            of_items,
            change_rows.c.last_id.is_not(None),
            change_rows.c.row_id < item_id,
            change_rows.c.last_id >= item_id,
        )
        mine = union_all(own, within).subquery()
        return list(
            self._tx.rows(
                select(
                    change_rows.c.change_id,
                    change_rows.c.kind,
                    change_rows.c.after,
                    changes.c.operation,
                    changes.c.actor,
                    changes.c.surface,
                    changes.c.state,
                    changes.c.undo_of,
                    changes.c.run_id,
                    changes.c.at,
                )
                .join(changes, changes.c.id == change_rows.c.change_id)
                .where(change_rows.c.id.in_(select(mine.c.id)))
                .order_by(change_rows.c.change_id, change_rows.c.id)
            )
        )

    def _clients_of(self, ids: list[int]) -> dict[int, str]:
        rows = self._tx.rows(
            select(audit.c.change_id, audit.c.client).where(audit.c.change_id.in_(ids))
        )
        return {row.change_id: row.client for row in rows}

    def _rows_of(self, name: str, item_id: int, ids: list[int]) -> list[dict[str, Any]]:
        """The item's rows of a table with the change that made each, those an undo deleted included."""
        table = metadata.tables[name]
        rows = [
            dict(r._mapping) for r in self._tx.rows(select(table).where(table.c.item_id == item_id))
        ]
        gone = select(change_rows.c.before).where(
            change_rows.c.change_id.in_(ids),
            _OF.in_([name]),
            change_rows.c.kind == "delete",
            change_rows.c.before["item_id"].as_integer() == item_id,
        )
        known = {row["id"] for row in rows}
        for row in self._tx.rows(gone):
            if row.before["id"] not in known:
                known.add(row.before["id"])
                rows.append(dict(row.before))
        made = self._made_in(name, [row["id"] for row in rows], ids)
        return [{**row, "change_id": made.get(row["id"])} for row in rows]

    def _made_in(self, name: str, row_ids: list[int], ids: list[int]) -> dict[int, int]:
        """Which of these changes inserted each row: the first, for a redo inserts again."""
        if not row_ids:
            return {}
        inserts = self._tx.rows(
            select(change_rows.c.change_id, change_rows.c.row_id, change_rows.c.last_id)
            .where(
                change_rows.c.change_id.in_(ids),
                _OF.in_([name]),
                change_rows.c.kind == "insert",
            )
            .order_by(change_rows.c.change_id.desc())
        )
        return {
            i: row.change_id
            for row in inserts
            for i in row_ids
            if row.row_id <= i <= (row.last_id or row.row_id)
        }


class _Until:
    """The item's values as the images go by."""

    def __init__(self) -> None:
        self.label: str | None = None
        self.state = "open"
        self.suggestion: str | None = None
        self.suggestion_id: int | None = None

    def take(self, after: Mapping[str, Any]) -> None:
        for name in ("label", "state", "suggestion", "suggestion_id"):
            if name in after:
                setattr(self, name, after[name])
