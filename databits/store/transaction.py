"""One open transaction, and the record of what it changes.

Every insert, update and delete of a `CHANGED` table goes through here and leaves an image of what
was there before, so that `undo_change` needs no knowledge of the operation it undoes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Row, Table, func, select

from databits.store.driver import FEW
from databits.store.images import image_text, kinds_of, ranges_of
from databits.store.ledger import Image, Ledger
from databits.store.phrases import columns_of, document, plain
from databits.store.prepared import Prepared, among
from databits.store.recording import Recording
from databits.store.tables import CHANGED

T = TypeVar("T")
Values = Mapping[str, Any]
_TRACKED = frozenset(t.name for t in CHANGED)
_BUSY = frozenset({"items", "labels", "suggestions"})  # what is recalled does not depend on them
_LATER = frozenset({"items", "labels"})  # written once a group of writes, when it is a few rows
_BATCH = 50_000  # rows a statement: bounds memory, not speed
_IMAGES: dict[tuple[str, tuple[str, ...]], Prepared] = {}


class Transaction(Recording):
    """A connection inside a transaction, with at most one change being recorded."""

    def __init__(self, db: Connection, ledger: Ledger | None = None) -> None:
        super().__init__(ledger or Ledger(db))
        self._db = db
        self.driver = self.ledger.driver
        self.wrote = False
        """Whether a rollback is needed to take back what was done so far."""

    @property
    def db(self) -> Connection:
        """The connection, for what the methods here do not do."""
        self.wrote = True  # for all we know
        self.ledger.known.clear()
        self.ledger.ahead.clear()
        self.look()
        return self._db

    # reading ------------------------------------------------------------------------------

    def rows(self, statement: Executable) -> Sequence[Row[Any]]:
        self.look()
        return self._db.execute(statement).all()

    def one(self, statement: Executable) -> Row[Any] | None:
        self.look()
        return self._db.execute(statement).first()

    def value(self, statement: Executable) -> Any:
        self.look()
        return self._db.execute(statement).scalar()

    def get(self, table: Table, row_id: int) -> Row[Any] | None:
        return self.one(select(table).where(table.c.id == row_id))

    def count(self, table: Table, *where: Any) -> int:
        return int(self.value(select(func.count()).select_from(table).where(*where)))

    def fetch(self, prepared: Prepared, **values: Any) -> list[Any]:
        """The rows of a prepared statement, which must not look at the log tables."""
        self.settle()
        return self.driver.fetch(prepared, **values)

    def pairs(self, prepared: Prepared, **values: Any) -> dict[Any, Any]:
        """The rows of two columns of such a statement, as first → second; for very many rows."""
        self.settle()
        return self.driver.pairs(prepared, **values)

    def recall(self, key: Any, read: Callable[[], T]) -> T:
        """What `read` gives, read once for a group of writes that only read it.

        For what is asked in every call and changes rarely. The group is one transaction, so nobody
        else changes it meanwhile, and any write to a table outside `_BUSY` forgets it.
        """
        known = self.ledger.known
        if key not in known:
            known[key] = read()
        found: T = known[key]
        return found

    def remember(self, key: Any, read: Callable[[], T]) -> T:
        """What `read` gives, of busy tables too: read once a reader, until the database changes."""
        return self.recall(key, read) if self.ledger.reads and not self.wrote else read()

    def look(self) -> None:
        """See to it that all that was written so far is in the database."""
        if self.ledger.pending:
            self.ledger.flush()

    def settle(self) -> None:
        """See to it that the rows written so far are in their tables."""
        if self.ledger.owing:
            self.ledger.flush_rows()

    # writing ------------------------------------------------------------------------------

    def _touch(self, table: Table, closed: bool = False) -> None:
        self.wrote = True
        if table.name not in _BUSY:
            self.ledger.known.clear()
            self.ledger.ahead.clear()
        elif table.name == "items" and not closed:
            self.ledger.ahead.clear()

    def allocate(self, table: Table, count: int = 1) -> range:
        """The next `count` ids of a table; ids are never handed out twice, even after an undo."""
        if count < 1:
            return range(0)
        self.wrote = True
        return self.ledger.ids.take(self.driver, table.name, count)

    def insert(self, table: Table, rows: Sequence[Values]) -> list[int]:
        """Insert rows, giving each an id where it has none; returns the ids, in order.

        Every row has the same columns.
        """
        if not rows:
            return []
        self._touch(table)
        columns = columns_of(table, tuple(rows[0]))
        given = "id" in rows[0]
        ids = [int(row["id"]) for row in rows] if given else list(self.allocate(table, len(rows)))
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            batch = [(i, *columns.said(row)) for i, row in zip(ids[start:], part, strict=False)]
            if len(batch) <= FEW and table.name in _LATER and columns.plain:
                self.ledger.add_rows(table, columns.with_id, batch)
            else:
                self.settle()  # it may point at what is owing
                self.driver.insert(table, columns.with_id, batch)
        if table.name in _TRACKED:
            name = str(table.name)
            ranges = ranges_of(ids)
            images = [Image(name, a, b if b > a else None, "insert", None, None) for a, b in ranges]
            self._record(table, images, len(ids))
        return ids

    def add(self, table: Table, **values: Any) -> int:
        """Insert one row; returns its id."""
        return self.insert(table, [values])[0]

    def update(
        self,
        table: Table,
        new: Mapping[int, Values],
        old: Mapping[int, Any] | None = None,
        *,
        closed: bool = False,
    ) -> int:
        """Set columns of rows by id; every row sets the same columns. Returns how many rows.

        Args:
            old: The rows as they are, with at least those columns, where the caller has read them
                in this transaction.
            closed: Nobody may claim these items after it, so of what was read ahead the others stand.
        """
        if not new:
            return 0
        self._touch(table, closed)
        if closed:
            self.ledger.ahead.drop(new)
        columns = columns_of(table, tuple(next(iter(new.values()))))
        names = columns.names
        if old is None and len(new) > FEW and columns.plain:
            kinds = kinds_of(new, names)
            if kinds is not None:
                return self._update_kinds(table, names, kinds)
        if old is None:
            before = self._read(table, list(new), names)
        else:
            before = {i: columns.held(old[i]) for i in new if i in old}
        after = {i: columns.said(new[i]) for i in before}
        if len(after) <= FEW and table.name in _LATER and columns.plain:
            self.ledger.update_rows(table, names, after)
        else:
            self.settle()
            self.driver.update(table, names, after)
        if table.name in _TRACKED:
            # A plain `str`: the driver takes a long look at SQLAlchemy's own kind.
            name = str(table.name)
            told: dict[Any, str | None] = {}  # most rows of a batch go from one state to another
            images = [
                Image(
                    name,
                    i,
                    None,
                    "update",
                    image_text(told, names, before[i], ()),
                    image_text(told, names, values, columns.texts),
                )
                for i, values in after.items()
            ]
            self._record(table, images, len(images))
        return len(before)

    def _update_kinds(
        self, table: Table, names: tuple[str, ...], kinds: Mapping[tuple[Any, ...], Sequence[int]]
    ) -> int:
        """An update in which many rows get the same values: the database makes the images."""
        count = 0
        self.settle()
        for values, ids in kinds.items():
            if table.name in _TRACKED:
                after = document(dict(zip(names, values, strict=True)))
                self._record_there(table, "update", names, ids, after)
            count += self.driver.set_all(table, names, values, ids)
        return count

    def delete(self, table: Table, ids: Sequence[int]) -> int:
        """Delete rows by id; returns how many."""
        if not ids:
            return 0
        self._touch(table)
        self.settle()
        names = tuple(str(c.name) for c in table.c)
        if len(ids) > FEW and plain(table, names) and table.name in _TRACKED:
            self._record_there(table, "delete", names, ids, None)
            return self.driver.delete(table, ids)
        old = self._read(table, ids, names)
        if old:
            self.driver.delete(table, list(old))
        if table.name in _TRACKED:
            images = [
                Image(
                    str(table.name),
                    i,
                    None,
                    "delete",
                    document(dict(zip(names, row, strict=True))),
                    None,
                )
                for i, row in old.items()
            ]
            self._record(table, images, len(images))
        return len(old)

    def _record_there(
        self, table: Table, kind: str, names: tuple[str, ...], ids: Sequence[int], after: str | None
    ) -> None:
        """Record what is about to happen to many rows without reading them into this process."""
        change_id = self._change(table)
        # What was recorded before it has to come before it.
        self.ledger.add_images(change_id, self._images)
        self._images = []
        self._rows += self.ledger.image_there(change_id, table, kind, names, ids, after)

    def _read(
        self, table: Table, ids: Sequence[int], names: tuple[str, ...]
    ) -> dict[int, tuple[Any, ...]]:
        """What the rows hold now, by id; rows that do not exist are left out."""
        key = (table.name, names)
        prepared = _IMAGES.get(key)
        if prepared is None:
            columns = [table.c[name] for name in names]
            prepared = _IMAGES[key] = Prepared(
                lambda sqlite: select(table.c.id.label("row_id"), *columns).where(
                    among(table.c.id, sqlite)
                )
            )
        found = self.fetch(prepared, ids=self.driver.ids(ids))
        return {row[0]: row[1:] for row in found}


def _parts(ids: Sequence[int], size: int = 500) -> Iterable[Sequence[int]]:
    """Slices that fit the databases' limits on bound parameters."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
