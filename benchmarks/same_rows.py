"""Claim + decide by a bare SQLite writer that writes the product's own rows, indexes and all.

The other floor (benchmarks/floors.py) writes two rows of two small tables. This one writes what the
product writes: the item twice, the label, both changes, their images and both audit events. Nothing
is checked, computed or hashed: the rows are those of one claim and decision that the product made
once, with other ids. What is left between this and the product is the product's own work.
"""

import contextlib
import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from benchmarks.floors import LEASE, Writer, number
from benchmarks.measure import Step

_NEXT = """SELECT i.id, r.text FROM items i JOIN records r ON r.id = i.record_id
WHERE i.databit_id = ? AND i.state = 'open' AND i.held_by IS NULL
ORDER BY i.priority DESC, i.id LIMIT 1"""
_LOGS = ("changes", "change_rows", "audit")
Rows = dict[str, list[tuple[Any, ...]]]


class _Act:
    """What the product wrote of one call, to be written again for other items."""

    def __init__(self, db: sqlite3.Connection, change: int) -> None:
        self.rows = {
            "changes": _read(db, "changes", "id = ?", change),
            "change_rows": _read(db, "change_rows", "change_id = ?", change),
            "audit": _read(db, "audit", "change_id = ?", change),
        }
        updated = next(
            row
            for row in self.rows["change_rows"]
            if (row["table_name"], row["kind"]) == ("items", "update")
        )
        self.item = updated["row_id"]
        self.sets: dict[str, Any] = json.loads(updated["after"])


class _Bare:
    """The writer's tables and the acts that it repeats."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        newest = [row[0] for row in db.execute("SELECT id FROM changes ORDER BY id DESC LIMIT 2")]
        self.decided, self.claimed = _Act(db, newest[0]), _Act(db, newest[1])
        (self.label,) = _read(db, "labels", "item_id = ?", self.decided.item)
        self.databits = [row[0] for row in db.execute("SELECT id FROM databits ORDER BY id")]
        tables = (*_LOGS, "labels")
        self._last = {
            table: db.execute(f"SELECT max(id) FROM {table}").fetchone()[0] for table in tables
        }
        self._adds = {
            table: _insert(table, row)
            for table, row in {
                **{t: self.claimed.rows[t][0] for t in _LOGS},
                "labels": self.label,
            }.items()
        }
        self._claims = _update("items", self.claimed.sets, "id = ? AND held_by IS NULL")
        self._decides = _update("items", self.decided.sets, "id = ? AND held_by = ?")
        self._pending: Rows = defaultdict(list)

    def claim(self, who: str, queue: int) -> tuple[int, str] | None:
        found = self._db.execute(_NEXT, (self.databits[queue],)).fetchone()
        if found is None:
            return None
        new = {"held_by": who, "held_until": int((time.time() + LEASE) * 1e6)}
        self._db.execute(self._claims, [*{**self.claimed.sets, **new}.values(), found[0]])
        self._log(self.claimed, found[0], who)
        return int(found[0]), str(found[1])

    def decide(self, item: int, who: str) -> bool:
        new = {"decided_by": who, "decided_at": int(time.time() * 1e6)}
        values = [*{**self.decided.sets, **new}.values(), item, who]
        if self._db.execute(self._decides, values).rowcount != 1:
            return False
        self._add("labels", {**self.label, "item_id": item, "actor": who})
        self._log(self.decided, item, who)
        return True

    def flush(self) -> None:
        """Write the rows that wait: with many at once SQLite is asked once a table."""
        pending, self._pending = self._pending, defaultdict(list)
        for table, rows in pending.items():
            self._db.executemany(self._adds[table], rows)

    def _log(self, act: _Act, item: int, who: str) -> None:
        (change,) = act.rows["changes"]
        made = self._add("changes", {**change, "actor": who})
        for image in act.rows["change_rows"]:
            row_id = item if image["table_name"] == "items" else self._last[image["table_name"]]
            self._add("change_rows", {**image, "change_id": made, "row_id": row_id})
        (event,) = act.rows["audit"]
        self._add("audit", {**event, "actor": who, "change_id": made})

    def _add(self, table: str, row: dict[str, Any]) -> int:
        self._last[table] += 1
        row["id"] = self._last[table]
        self._pending[table].append(tuple(row.values()))
        return self._last[table]


@contextlib.contextmanager
def same_rows(url: str, slow: float = 0) -> Iterator[Step]:
    """Claim + decide on a copy of the product's database, in which it claimed and decided last."""
    writer = Writer(url, slow)
    bare = _Bare(writer.db)
    writer.before_commit = bare.flush

    def step(who: str) -> bool:
        queue = number(who) % len(bare.databits)
        found = writer.call(lambda: bare.claim(who, queue))
        return found is not None and bool(writer.call(lambda: bare.decide(found[0], who)))

    try:
        yield step
    finally:
        writer.stop()


def _read(db: sqlite3.Connection, table: str, where: str, value: int) -> list[dict[str, Any]]:
    cursor = db.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY id", (value,))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _insert(table: str, row: dict[str, Any]) -> str:
    names = ", ".join(f'"{name}"' for name in row)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})"


def _update(table: str, sets: dict[str, Any], where: str) -> str:
    names = ", ".join(f'"{name}" = ?' for name in sets)
    return f"UPDATE {table} SET {names} WHERE {where}"
