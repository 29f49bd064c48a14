"""Changes: what each write did, and how to take it back."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from databits.errors import Conflict, NotFound
from databits.model import Change
from databits.store.tables import CHANGED, DERIVED, change_rows, changes, metadata
from databits.store.transaction import Transaction, _parts

_TABLES = {t.name: t for t in CHANGED}


class Changes:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def get(self, change_id: int) -> Change:
        row = self._tx.get(changes, change_id)
        if row is None:
            raise NotFound("There is no change of that id. list_changes shows the changes.")
        return Change.model_validate(row)

    def page(
        self, after: int, limit: int, *, actor: str | None = None, operation: str | None = None
    ) -> list[Change]:
        """Newest first; `after` is the id that the page before ended with, 0 for the first."""
        query = _where(actor, operation).order_by(changes.c.id.desc()).limit(limit)
        if after:
            query = query.where(changes.c.id < after)
        return [Change.model_validate(row) for row in self._tx.rows(query)]

    def count(self, *, actor: str | None = None, operation: str | None = None) -> int:
        return self._tx.count(_where(actor, operation).subquery())  # type: ignore[arg-type]

    def last_of(self, actor: str, operations: Sequence[str]) -> int | None:
        """The actor's newest change that still stands and came from one of these operations."""
        found: int | None = self._tx.value(
            select(func.max(changes.c.id)).where(
                changes.c.actor == actor,
                changes.c.operation.in_(operations),
                changes.c.state == "applied",
                changes.c.undo_of.is_(None),
            )
        )
        return found

    def undo(self, change_id: int) -> int:
        """Put every row of a change back as it was; returns how many.

        Runs inside the change that records the undo itself, so an undo can be undone.

        Raises:
            Conflict: when it is undone already, or later work rests on it; the text names that work.
        """
        change = self.get(change_id)
        self._tx.is_undo_of(change_id)
        if change.state == "undone":
            raise Conflict(f"Change {change_id} is undone already.")
        images = self._tx.rows(
            select(change_rows)
            .where(change_rows.c.change_id == change_id)
            .order_by(change_rows.c.id)
        )
        self._refuse_if_rested_upon(change_id, images)
        try:
            self._put_back(images)
        except IntegrityError:
            raise Conflict(
                f"Change {change_id} can not be undone: what it would bring back has a name that is taken by now, or "
                "rests on something that is gone. list_changes shows what came later; undo that first."
            ) from None
        self._mark(change)
        return len(images)

    def _put_back(self, images: Sequence[Row[Any]]) -> None:
        # Newest image first; runs of one kind on one table go in one statement.
        for table, kind, run in _runs(list(reversed(images))):
            if kind == "insert":
                self._tx.delete(_TABLES[table], [r.row_id for r in run])
            elif kind == "delete":
                self._tx.insert(_TABLES[table], [r.before for r in run])
            else:
                self._tx.update(_TABLES[table], {r.row_id: r.before for r in run})

    def _mark(self, change: Change) -> None:
        """An undo takes the effect of its target away; undoing the undo brings it back."""
        state, current = "undone", change
        while True:
            self._tx.db.execute(
                update(changes).where(changes.c.id == current.id).values(state=state)
            )
            if current.undo_of is None:
                return
            current = self.get(current.undo_of)
            state = "applied" if state == "undone" else "undone"

    def _refuse_if_rested_upon(self, change_id: int, images: Sequence[Row[Any]]) -> None:
        later = self._later(change_id, images)
        if later:
            names = ", ".join(f"change {c.id} ({c.operation} by {c.actor})" for c in later[:3])
            more = f" and {len(later) - 3} more" if len(later) > 3 else ""
            raise Conflict(
                f"Change {change_id} can not be undone: {names}{more} came later on the same rows. Undo that first."
            )
        for table in _TABLES.values():
            ids = [r.row_id for r in images if r.table_name == table.name and r.kind == "insert"]
            found = (
                self._dependants(table.name, ids, {(r.table_name, r.row_id) for r in images})
                if ids
                else []
            )
            if found:
                raise Conflict(
                    f"Change {change_id} can not be undone: {', '.join(found)} rest on it."
                )

    def _later(self, change_id: int, images: Sequence[Row[Any]]) -> list[Change]:
        """Standing changes after this one that touched the same rows and columns.

        An undo counts where it took back something older than this change: with something newer,
        the two cancel out.
        """
        columns: dict[tuple[str, int], set[str] | None] = {}
        for r in images:
            known = columns.setdefault((r.table_name, r.row_id), set())
            touched = None if known is None or r.kind != "update" else known | set(r.after)
            columns[r.table_name, r.row_id] = touched
        found: dict[int, Change] = {}
        for table in {r.table_name for r in images}:
            ids = [r.row_id for r in images if r.table_name == table]
            for part in _parts(ids):
                rows = self._tx.rows(
                    select(changes, change_rows.c.row_id, change_rows.c.kind, change_rows.c.after)
                    .join(changes, changes.c.id == change_rows.c.change_id)
                    .where(change_rows.c.table_name == table, change_rows.c.row_id.in_(part))
                    .where(
                        changes.c.id > change_id,
                        changes.c.state == "applied",
                        or_(changes.c.undo_of.is_(None), changes.c.undo_of < change_id),
                    )
                )
                for row in rows:
                    mine = columns[table, row.row_id]
                    if mine is None or row.kind != "update" or mine & set(row.after):
                        found[row.id] = Change.model_validate(row)
        return sorted(found.values(), key=lambda c: -c.id)

    def _dependants(self, table: str, ids: Sequence[int], own: set[tuple[str, int]]) -> list[str]:
        """What later work points at these rows, as `12 items (change 7)`."""
        found = []
        for child in metadata.sorted_tables:
            for key in child.foreign_keys:
                if key.column.table.name != table or child.name in DERIVED:
                    continue
                rows = [
                    row.id
                    for part in _parts(ids)
                    for row in self._tx.rows(select(child.c.id).where(key.parent.in_(part)))
                    if (child.name, row.id) not in own
                ]
                if rows:
                    found.append(f"{len(rows)} {child.name}{self._made_by(child.name, rows)}")
        return found

    def _made_by(self, table: str, ids: Sequence[int]) -> str:
        made: set[int] = set()
        for part in _parts(ids):
            query = select(change_rows.c.change_id).where(
                change_rows.c.table_name == table,
                change_rows.c.row_id.in_(part),
                change_rows.c.kind == "insert",
            )
            made.update(row.change_id for row in self._tx.rows(query))
        names = ", ".join(str(i) for i in sorted(made)[:3])
        return f" (change {names})" if made else ""


def _where(actor: str | None, operation: str | None) -> Select[Any]:
    query = select(changes)
    if actor is not None:
        query = query.where(changes.c.actor == actor)
    return query if operation is None else query.where(changes.c.operation == operation)


def _runs(images: Sequence[Row[Any]]) -> list[tuple[str, str, list[Row[Any]]]]:
    """Consecutive images of one table, kind and set of columns, none of them twice the same row."""
    found: list[tuple[str, str, list[Row[Any]]]] = []
    seen: set[int] = set()
    key: tuple[str, str, frozenset[str]] | None = None
    for r in images:
        mine = (r.table_name, r.kind, frozenset(r.before or ()))
        if mine != key or r.row_id in seen:
            found.append((r.table_name, r.kind, []))
            key, seen = mine, set()
        found[-1][2].append(r)
        seen.add(r.row_id)
    return found
