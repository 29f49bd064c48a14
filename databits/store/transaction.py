"""One open transaction, and the record of what it changes.

Every insert, update and delete of a `CHANGED` table goes through here and leaves an image of what
was there before, so that `undo_change` needs no knowledge of the operation it undoes.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Row,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from databits.store.tables import CHANGED, change_rows, changes, counters

Values = Mapping[str, Any]
_TRACKED = frozenset(t.name for t in CHANGED)
_BATCH = 10_000  # rows a statement: bounds memory, not speed


_LAST_CHANGE = select(func.max(changes.c.id))
_ADD_CHANGE = insert(changes)
_ADD_IMAGES = insert(change_rows)


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


class Ids:
    """Hands out ids, from blocks that it takes from `counters`: one look there serves many rows.

    A block is good as long as the transaction that took it stands, so whoever rolls back must call
    `forget`. What was left of a block is then skipped, never handed out twice.
    """

    def __init__(self, block: int = 1) -> None:
        self._block = block
        self._free: dict[str, range] = {}

    def take(self, db: Connection, name: str, count: int) -> range:
        free = self._free.get(name, range(0))
        if len(free) < count:
            free = self._reserve(db, name, max(count, self._block))
        self._free[name] = free[count:]
        return free[:count]

    def forget(self) -> None:
        self._free.clear()

    def _reserve(self, db: Connection, name: str, count: int) -> range:
        last = db.execute(
            update(counters)
            .where(counters.c.name == name)
            .values(last=counters.c.last + count)
            .returning(counters.c.last)
        ).scalar()
        if last is None:
            last = count
            db.execute(insert(counters), {"name": name, "last": last})
        return range(int(last) - count + 1, int(last) + 1)


class Transaction:
    """A connection inside a transaction, with at most one change being recorded."""

    def __init__(self, db: Connection, ids: "Ids | None" = None) -> None:
        self.db = db
        self.change_id: int | None = None
        self._ids = ids or Ids()
        self._about: dict[str, Any] | None = None
        self._touched: list[dict[str, Any]] = []

    # reading ------------------------------------------------------------------------------

    def rows(self, statement: Executable) -> Sequence[Row[Any]]:
        return self.db.execute(statement).all()

    def one(self, statement: Executable) -> Row[Any] | None:
        return self.db.execute(statement).first()

    def value(self, statement: Executable) -> Any:
        return self.db.execute(statement).scalar()

    def get(self, table: Table, row_id: int) -> Row[Any] | None:
        return self.one(select(table).where(table.c.id == row_id))

    def count(self, table: Table, *where: Any) -> int:
        return int(self.value(select(func.count()).select_from(table).where(*where)))

    # writing ------------------------------------------------------------------------------

    def allocate(self, table: Table, count: int = 1) -> range:
        """The next `count` ids of a table; ids are never handed out twice, even after an undo."""
        if count < 1:
            return range(0)
        return self._ids.take(self.db, table.name, count)

    def insert(self, table: Table, rows: Sequence[Values]) -> list[int]:
        """Insert rows, giving each an id where it has none; returns the ids, in order."""
        if not rows:
            return []
        given = "id" in rows[0]
        ids = [int(row["id"]) for row in rows] if given else list(self.allocate(table, len(rows)))
        for start in range(0, len(rows), _BATCH):
            batch = [
                {**row, "id": i}
                for row, i in zip(rows[start : start + _BATCH], ids[start:], strict=False)
            ]
            self.db.execute(insert(table), batch)
        self._record(table, ((i, "insert", None, None) for i in ids))
        return ids

    def add(self, table: Table, **values: Any) -> int:
        """Insert one row; returns its id."""
        return self.insert(table, [values])[0]

    def update(self, table: Table, new: Mapping[int, Values]) -> int:
        """Set columns of rows by id; every row sets the same columns. Returns how many rows."""
        if not new:
            return 0
        names = sorted(next(iter(new.values())))
        old = self._images(table, list(new), names)
        moved = {i: values for i, values in new.items() if i in old}
        statement = (
            update(table)
            .where(table.c.id == bindparam("row_id"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        bound = [{"row_id": i, **{f"new_{n}": v[n] for n in names}} for i, v in moved.items()]
        for start in range(0, len(bound), _BATCH):
            self.db.execute(statement, bound[start : start + _BATCH])
        self._record(table, ((i, "update", old[i], dict(v)) for i, v in moved.items()))
        return len(moved)

    def delete(self, table: Table, ids: Sequence[int]) -> int:
        """Delete rows by id; returns how many."""
        old = self._images(table, ids, [c.name for c in table.c])
        for part in _parts(list(old)):
            self.db.execute(delete(table).where(table.c.id.in_(part)))
        self._record(table, ((i, "delete", image, None) for i, image in old.items()))
        return len(old)

    # changes ------------------------------------------------------------------------------

    def begin_change(
        self,
        operation: str,
        actor: str,
        surface: str,
        *,
        undo_of: int | None = None,
        run_id: int | None = None,
    ) -> None:
        """Start to record; the change gets its id and its row when the first row changes."""
        self._about = {
            "operation": operation,
            "actor": actor,
            "surface": surface,
            "undo_of": undo_of,
            "run_id": run_id,
        }

    def is_undo_of(self, change_id: int) -> None:
        """Say that the change being recorded takes another one back."""
        if self._about is not None:
            self._about["undo_of"] = change_id

    def end_change(self) -> int | None:
        """Write the change; returns its id, or None when nothing changed."""
        change_id, images = self.change_id, self._touched
        if change_id is not None:
            row = {"id": change_id, "state": "applied", "rows": len(images), "at": now()}
            self.db.execute(_ADD_CHANGE, {**row, **(self._about or {})})
            for image, i in zip(images, self.allocate(change_rows, len(images)), strict=True):
                image["id"] = i
            for start in range(0, len(images), _BATCH):
                self.db.execute(_ADD_IMAGES, images[start : start + _BATCH])
        self._about, self.change_id, self._touched = None, None, []
        return change_id

    def _open_change(self, table: Table) -> int:
        if self._about is None:
            raise RuntimeError(f"a write to {table.name} outside a change")
        if self.change_id is None:
            # Changes are ordered by id, whichever process makes them: the next one is the last plus one.
            self.change_id = int(self.value(_LAST_CHANGE) or 0) + 1
        return self.change_id

    def _record(
        self, table: Table, images: Iterable[tuple[int, str, Values | None, Values | None]]
    ) -> None:
        if table.name not in _TRACKED:
            return
        touched = [
            {
                "table_name": table.name,
                "row_id": row_id,
                "kind": kind,
                "before": dict(before) if before is not None else None,
                "after": dict(after) if after is not None else None,
            }
            for row_id, kind, before, after in images
        ]
        if touched:
            change_id = self._open_change(table)
            self._touched += [{**image, "change_id": change_id} for image in touched]

    def _images(
        self, table: Table, ids: Sequence[int], names: Sequence[str]
    ) -> dict[int, dict[str, Any]]:
        """What the rows hold now, by id; rows that do not exist are left out."""
        columns = [table.c[name] for name in names]
        found: dict[int, dict[str, Any]] = {}
        for part in _parts(ids):
            for row in self.db.execute(
                select(table.c.id.label("_id"), *columns).where(table.c.id.in_(part))
            ):
                found[row[0]] = dict(zip(names, row[1:], strict=True))
        return found


def _parts(ids: Sequence[int], size: int = 500) -> Iterable[Sequence[int]]:
    """Slices that fit the databases' limits on bound parameters."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
