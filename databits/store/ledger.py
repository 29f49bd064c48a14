"""What a group of writes has yet to write: rows of busy tables, changes, their images, audit events.

The logs are chained and only ever appended, and nothing that a write decides depends on reading its
own. Rows of busy tables are looked at, and then written before. So all of it is gathered here and
written together, once for a whole group of writes, or as soon as somebody looks at the database.
"""

import contextlib
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, func, literal_column, select

from databits.store.ahead import Ahead
from databits.store.driver import SOME, Asked, Driver
from databits.store.prepared import Prepared
from databits.store.tables import audit, change_rows, changes, counters

GENESIS = "0" * 64
_CHANGE = tuple(str(c.name) for c in changes.c)
_IMAGE = ("id", "change_id", "table_name", "row_id", "last_id", "kind", "before", "after")
_EVENT = tuple(str(c.name) for c in audit.c)
_change = itemgetter(*_CHANGE)
_event = itemgetter(*_EVENT)
_LOCK = Prepared(lambda _: select(func.pg_advisory_xact_lock(literal_column("7305"))))
_newest = select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)
_ENDS = Prepared(
    lambda _: select(
        select(func.max(changes.c.id)).scalar_subquery().label("change"),
        _newest.with_only_columns(audit.c.id).scalar_subquery().label("event"),
        _newest.with_only_columns(audit.c.hash).scalar_subquery().label("hash"),
    )
)


Names = tuple[str, ...]


class Image(NamedTuple):
    """What a change did to a row, or to the rows `row_id` to `last_id` that it inserted."""

    table: str
    row_id: int
    last_id: int | None
    kind: str
    before: str | None
    """JSON text."""
    after: str | None


_IN_ANY_ORDER = frozenset({"labels", "change_rows"})
"""Tables of very many rows of which nobody asks by id which came first, but within a change."""


class Ids:
    """Hands out ids from `counters`; they grow in the order of time, whichever process asks.

    Of the busiest tables it takes a block at once: one look there serves many rows. A block is good
    as long as the transaction that took it stands, so whoever rolls back must call `forget`. What
    was left of a block is then skipped, never handed out twice.
    """

    def __init__(self, block: int = 1) -> None:
        self._block = block
        self._free: dict[str, range] = {}

    def take(self, driver: Driver, name: str, count: int) -> range:
        free = self._free.get(name, range(0))
        if len(free) < count:
            block = self._block if name in _IN_ANY_ORDER else 1
            free = self._reserve(driver, name, max(count, block))
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


class Ends(NamedTuple):
    """Where the logs end."""

    change: int
    event: int
    hash: str


class Ledger:
    """The log of one group of writes, and the ids of what they make."""

    def __init__(
        self,
        db: Connection,
        ids: Ids | None = None,
        *,
        driver: Driver | None = None,
        known: dict[Any, Any] | None = None,
        reads: bool = False,
    ) -> None:
        self.driver = driver or Driver(db)
        self.ids = ids or Ids()
        self.reads = reads
        """Whether nothing is written but by mistake."""
        self.known: dict[Any, Any] = {} if known is None else known
        """What was read and nobody has changed since; see `Transaction.recall`."""
        self.ahead = Ahead()
        self._added: dict[tuple[Table, Names], list[tuple[Any, ...]]] = {}
        self._updated: dict[tuple[Table, Names], dict[int, tuple[Any, ...]]] = {}
        self._changes: list[tuple[Any, ...]] = []
        self._images: list[tuple[int, Image]] = []
        self._events: list[tuple[Any, ...]] = []
        self.ends: Ends | None = None
        """With what is pending; None when nobody has asked yet."""
        self.begun: Ends | None = None
        """Where they ended when the group began, if that was asked."""

    @property
    def pending(self) -> bool:
        return bool(self._changes or self._images or self._events or self.owing)

    @property
    def owing(self) -> bool:
        """Whether rows wait that whoever looks at their tables has to see."""
        return bool(self._added or self._updated)

    def add_rows(self, table: Table, names: Names, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows later."""
        self._added.setdefault((table, names), []).extend(rows)

    def update_rows(self, table: Table, names: Names, after: Mapping[int, tuple[Any, ...]]) -> None:
        """Update rows later; where one waits for other values, those are written first."""
        for (other, _), waiting in self._updated.items():
            if other is table and not waiting.keys().isdisjoint(after):
                self.flush_rows()
                break
        self._updated.setdefault((table, names), {}).update(after)

    def begin(
        self, locked: bool, ask: Sequence[Asked] = (), since: Ends | None = None
    ) -> list[list[Any]]:
        """Begin the group; gives the answers to what is asked, on PostgreSQL in one round trip.

        Args:
            locked: Whether to `lock` first.
            since: Where the logs ended when this process wrote last: what is known counts only if
                they still do, because whoever changes what is recalled leaves an event.
        """
        first: list[Asked] = [(_LOCK, {})] if locked else []
        if not ask and not self.known:
            self.driver.fetch_all(first)
            return []
        ends, *answers = self.driver.fetch_all([*first, (_ENDS, {}), *ask])[len(first) :]
        self.ends = self.begun = _ends(ends)
        if self.begun != since:
            self.known.clear()
        return answers

    def lock(self) -> None:
        """Wait until no other process writes."""
        self.driver.fetch_all([(_LOCK, {})])

    def _ends(self) -> Ends:
        if self.ends is None:
            self.ends = _ends(self.driver.fetch(_ENDS))
        return self.ends

    def next_change(self) -> int:
        """The id of the next change: changes are ordered by id, whichever process makes them."""
        return self._ends().change + 1

    def add_change(self, change: Mapping[str, Any]) -> None:
        """Add a change, which must have the id that `next_change` gave."""
        self.ends = Ends(change["id"], *self._ends()[1:])
        self._changes.append(_change(change))

    def add_images(self, change_id: int, images: Sequence[Image]) -> None:
        """Add images of a change, in the order in which things happened."""
        self._images += [(change_id, image) for image in images]

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
        if before := self._take_images():  # what happened before has the lower ids
            self.driver.insert(change_rows, _IMAGE, before)
        first = self.ids.take(self.driver, change_rows.name, len(ids))[0]
        return self.driver.image(first, change_id, table, kind, names, ids, after)

    def last_event(self) -> tuple[int, str]:
        """Id and hash of the newest audit event."""
        return self._ends()[1:]

    def add_event(self, event: Mapping[str, Any]) -> None:
        self.ends = Ends(self._ends().change, event["id"], event["hash"])
        self._events.append(_event(event))

    def flush(self) -> None:
        """Write what is pending."""
        logs = len(self._changes) + len(self._images) + len(self._events)
        rows = sum(map(len, self._added.values())) + sum(map(len, self._updated.values()))
        images = self._take_images()
        with self.driver.together() if logs + rows <= SOME else contextlib.nullcontext():
            self.flush_rows()
            if self._changes:
                waiting, self._changes = self._changes, []
                self.driver.insert(changes, _CHANGE, waiting)
            if images:
                self.driver.insert(change_rows, _IMAGE, images)
            if self._events:
                waiting, self._events = self._events, []
                self.driver.insert(audit, _EVENT, waiting)

    def _take_images(self) -> list[tuple[Any, ...]]:
        """The images that wait, each with an id."""
        waiting, self._images = self._images, []
        ids = self.ids.take(self.driver, change_rows.name, len(waiting)) if waiting else ()
        return [(i, change, *image) for i, (change, image) in zip(ids, waiting, strict=True)]

    def flush_rows(self) -> None:
        """Write the rows of busy tables."""
        added, updated = self._added, self._updated
        self._added, self._updated = {}, {}
        for (table, names), rows in added.items():
            self.driver.insert(table, names, rows)
        for (table, names), after in updated.items():
            self.driver.update(table, names, after)

    def forget(self) -> None:
        """Drop what is pending and known: the transaction, or a part of it, was rolled back."""
        self._added, self._updated = {}, {}
        self._changes, self._images, self._events = [], [], []
        self.ends = None
        self.known.clear()
        self.ahead.clear()
        self.ids.forget()


def _ends(found: Sequence[Any]) -> Ends:
    change, event, hashed = found[0]
    return Ends(int(change or 0), int(event or 0), str(hashed or GENESIS))
