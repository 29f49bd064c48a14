"""The database: many readers, one writer with group commit.

SQLite has one writer whatever one does; letting many threads fight for it makes some wait for
seconds. Here writes queue up for one thread, which runs a group of them in one transaction and commits
it with one fsync. When one of a group fails after it has written, the group is taken back and run
once more, each write in a savepoint of its own: a failing write takes only itself back. So what is
handed to `write` may run twice, and does nothing but read and write the store.

On PostgreSQL it goes the same way in each process, and a lock lets one process write at a time:
ids of changes and the audit chain follow on from what is committed, and no two writes can wait for
each other's rows.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from databits.errors import Unavailable
from databits.store import Store
from databits.store.migrations import migrate
from databits.store.pinging import ping_when_in_doubt
from databits.store.reader import Reader
from databits.store.shapes import Foreseen, now
from databits.store.writer import Writer

T = TypeVar("T")
_KEPT = 40  # readers: one a thread that a server works with


class Database:
    """`read` and `write` run a function of the store; nothing else touches the database."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self._readers = self._engine(pool_size=16)
        self._writer_engine = self._engine("BEGIN IMMEDIATE", pool_size=1)
        if not self.sqlite:
            event.listen(self._writer_engine, "connect", _by_index)
        self._writer = Writer(self._writer_engine)
        self._open: list[Reader] = []
        """Readers of SQLite that nobody uses now, the one that was used last at the end."""
        self._closed = False
        try:
            self.write(lambda store: migrate(store.tx.db, now()))
        except BaseException:  # whoever tries again and again must not leave a thread each time
            self.close()
            raise

    def read(self, fn: Callable[[Store], T]) -> T:
        """Run `fn` on a consistent view of the database; what it writes is thrown away."""
        if self.sqlite:
            return self._read_here(fn)
        with self._readers.connect() as db:
            db = db.execution_options(isolation_level="REPEATABLE READ")
            view = db.begin()  # the driver's cursor would not
            try:
                return fn(Store(db))
            finally:
                view.rollback()

    def _read_here(self, fn: Callable[[Store], T]) -> T:
        """The same on SQLite, where connections stay open."""
        try:
            reader = self._open.pop()
        except IndexError:
            reader = Reader(self._readers.connect())
        try:
            return reader.read(fn)
        finally:
            self._put_back(reader)

    def _put_back(self, reader: Reader) -> None:
        if not reader.sound or self._closed or len(self._open) >= _KEPT:
            reader.close()
            return
        self._open.append(reader)
        if self._closed:  # since we looked
            self._close_readers()

    def _close_readers(self) -> None:
        while True:
            try:
                self._open.pop().close()
            except IndexError:
                return

    def write(self, fn: Callable[[Store], T], foreseen: Foreseen | None = None) -> T:
        """Run `fn` in a transaction that is durable when this returns.

        Whatever `fn` raises is raised here, and nothing of it stays. It may run twice, the first
        time in vain.

        Args:
            foreseen: What `fn` will look at, so that it is read for all who write with it at once.
        """
        return self._writer.run(fn, foreseen)

    keep = write
    """For derived data, which no change records: the same, under the name that `Work` has for it."""

    def close(self) -> None:
        self._writer.stop()
        self._writer_engine.dispose()
        self._closed = True
        self._close_readers()
        self._readers.dispose()

    def _engine(self, begin: str = "", *, pool_size: int) -> Engine:
        """Args:
        begin: How a transaction begins on SQLite; empty where `Reader` says it.
        """
        if not self.sqlite:
            try:
                made = create_engine(self.url, pool_size=pool_size, max_overflow=16)
            except ModuleNotFoundError:
                raise Unavailable(
                    "PostgreSQL needs its driver: pip install 'databits-workbench[postgres]'."
                ) from None
            ping_when_in_doubt(made)
            return made
        engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=-1,  # as many readers as threads; `_read_here` keeps the open ones
            connect_args={"check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def configure(db: sqlite3.Connection, _: object) -> None:
            db.isolation_level = None  # SQLAlchemy says when a transaction begins, not the driver
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "busy_timeout=30000",
                "temp_store=MEMORY",
                # Small commits go to the log; a rarer, longer checkpoint writes each page once.
                "wal_autocheckpoint=8000",
                "cache_size=-32768",
            ):
                db.execute(f"PRAGMA {pragma}")

        def start(db: Connection) -> None:
            driver: Any = db.connection.driver_connection
            driver.execute(begin)

        if begin:
            event.listen(engine, "begin", start)
        return engine


def _by_index(db: Any, _: object) -> None:
    """Have PostgreSQL plan the writer's statements, and its own checks of foreign keys, by index.

    It keeps these plans as long as the connection lasts. One that was made while a table was small
    would read it whole, for each row that is written, once the table is large.
    """
    # A whole table counts as so dear to it then that it would compile the few statements that read one.
    for setting in ("enable_seqscan", "jit"):
        db.execute(f"SET {setting} = off")
    db.commit()
