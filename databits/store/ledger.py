"""What a group of writes adds to the log tables: changes, their images, audit events.

They are chained and only ever appended, and nothing that a write decides depends on reading its
own. So they are gathered here and written together, once for a whole group of writes, or as soon
as somebody looks at the database in another way.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table

from databits.store.driver import Driver
from databits.store.tables import audit, change_rows, changes, counters

GENESIS = "0" * 64
_CHANGE = tuple(str(c.name) for c in changes.c)
_IMAGE = ("id", "change_id", "table_name", "row_id", "last_id", "kind", "before", "after")
_EVENT = tuple(str(c.name) for c in audit.c)


class Image(NamedTuple):
    """What a change did to a row, or to the rows `row_id` to `last_id` that it inserted."""

    table: str
    row_id: int
    last_id: int | None
    kind: str
    before: str | None
    """JSON text."""
    after: str | None


class Ids:
    """Hands out ids, from blocks that it takes from `counters`: one look there serves many rows.

    A block is good as long as the transaction that took it stands, so whoever rolls back must call
    `forget`. What was left of a block is then skipped, never handed out twice.
    """

    def __init__(self, block: int = 1) -> None:
        self._block = block
        self._free: dict[str, range] = {}

    def take(self, driver: Driver, name: str, count: int) -> range:
        free = self._free.get(name, range(0))
        if len(free) < count:
            free = self._reserve(driver, name, max(count, self._block))
        self._free[name] = free[count:]
        return free[:count]

    def forget(self) -> None:
        self._free.clear()

    def _reserve(self, driver: Driver, name: str, count: int) -> range:
        found = driver.execute(
            f"UPDATE {counters.name} SET last = last + ? WHERE name = ? RETURNING last",
            (count, name),
        )
        if not found:
            driver.execute(f"INSERT INTO {counters.name} (name, last) VALUES (?, ?)", (name, count))
        last = int(found[0][0]) if found else count
        return range(last - count + 1, last + 1)


class Ledger:
    """The log of one group of writes, and the ids of what they make."""

    def __init__(self, db: Connection, ids: Ids | None = None) -> None:
        self.driver = Driver(db)
        self.ids = ids or Ids()
        self.known: dict[Any, Any] = {}
        """What was read in this transaction and nobody has changed since; see `Transaction.recall`."""
        self._changes: list[tuple[Any, ...]] = []
        self._images: list[tuple[Any, ...]] = []
        self._events: list[tuple[Any, ...]] = []
        self._last_change: int | None = None
        self._last_event: tuple[int, str] | None = None

    @property
    def pending(self) -> bool:
        return bool(self._changes or self._images or self._events)

    def next_change(self) -> int:
        """The id of the next change: changes are ordered by id, whichever process makes them."""
        if self._last_change is None:
            self._last_change = self.driver.execute("SELECT max(id) FROM changes")[0][0] or 0
        return self._last_change + 1

    def add_change(self, change: Mapping[str, Any]) -> None:
        """Add a change, which must have the id that `next_change` gave."""
        self._last_change = change["id"]
        self._changes.append(tuple([change[name] for name in _CHANGE]))

    def add_images(self, change_id: int, images: Sequence[Image]) -> None:
        """Add images of a change, in the order in which things happened."""
        if images:
            ids = self.ids.take(self.driver, change_rows.name, len(images))
            self._images += [(i, change_id, *image) for i, image in zip(ids, images, strict=True)]

    def image_there(
        self,
        change_id: int,
        table: Table,
        kind: str,
        names: tuple[str, ...],
        ids: Sequence[int],
        after: str | None,
    ) -> int:
        """Write images of rows as they are now, inside the database; returns how many."""
        first = self.ids.take(self.driver, change_rows.name, len(ids))[0]
        return self.driver.image(first, change_id, table, kind, names, ids, after)

    def last_event(self) -> tuple[int, str]:
        """Id and hash of the newest audit event."""
        if self._last_event is None:
            found = self.driver.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")
            self._last_event = (int(found[0][0]), str(found[0][1])) if found else (0, GENESIS)
        return self._last_event

    def add_event(self, event: Mapping[str, Any]) -> None:
        self._last_event = (event["id"], event["hash"])
        self._events.append(tuple(event[name] for name in _EVENT))

    def flush(self) -> None:
        """Write what is pending."""
        if self._changes:
            rows, self._changes = self._changes, []
            self.driver.insert(changes, _CHANGE, rows)
        if self._images:
            rows, self._images = self._images, []
            self.driver.insert(change_rows, _IMAGE, rows)
        if self._events:
            rows, self._events = self._events, []
            self.driver.insert(audit, _EVENT, rows)

    def forget(self) -> None:
        """Drop what is pending and known: the transaction, or a part of it, was rolled back."""
        self._changes, self._images, self._events = [], [], []
        self._last_change = self._last_event = None
        self.known.clear()
        self.ids.forget()
