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

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from databits.errors import Unavailable
from databits.store import Store
from databits.store.foresight import Foresight
from databits.store.ledger import Ids, Ledger
from databits.store.migrations import migrate
from databits.store.shapes import Foreseen, now

T = TypeVar("T")
_GROUP = 256  # writes a commit at most
_ID_BLOCK = 1000  # ids taken at once


class Database:
    """`read` and `write` run a function of the store; nothing else touches the database."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self._readers = self._engine("BEGIN", pool_size=16)
        self._writer_engine = (
            self._engine("BEGIN IMMEDIATE", pool_size=1) if self.sqlite else self._readers
        )
        self._writer = _Writer(self._writer_engine)
        self.write(lambda store: migrate(store.tx.db, now()))

    def read(self, fn: Callable[[Store], T]) -> T:
        """Run `fn` on a consistent view of the database; what it writes is thrown away."""
        with self._readers.connect() as db:
            if not self.sqlite:
                db = db.execution_options(isolation_level="REPEATABLE READ")
            view = db.begin()  # the driver's cursor would not
            try:
                return fn(Store(db))
            finally:
                view.rollback()

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
        self._readers.dispose()

    def _engine(self, begin: str, *, pool_size: int) -> Engine:
        if not self.sqlite:
            try:
                return create_engine(
                    self.url, pool_size=pool_size, max_overflow=16, pool_pre_ping=True
                )
            except ModuleNotFoundError:
                raise Unavailable(
                    "PostgreSQL needs its driver: pip install 'databits-workbench[postgres]'."
                ) from None
        engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=16,
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

        @event.listens_for(engine, "begin")
        def start(db: Connection) -> None:
            db.exec_driver_sql(begin)

        return engine


class Write(NamedTuple):
    """What somebody waits for."""

    fn: Callable[[Store], Any]
    foreseen: Foreseen | None
    future: "Future[Any]"


class _Writer:
    """The one thread that writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._ids = Ids(block=_ID_BLOCK)
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="databits-writer", daemon=True)
        self._thread.start()

    def run(self, fn: Callable[[Store], T], foreseen: Foreseen | None) -> T:
        if threading.current_thread() is self._thread:
            raise RuntimeError("a write inside a write: pass the store on instead")
        future: Future[T] = Future()
        self._queue.put(Write(fn, foreseen, future))
        return future.result()

    def stop(self) -> None:
        self._queue.put(None)
        self._thread.join(timeout=30)

    def _loop(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            with contextlib.suppress(queue.Empty):
                while len(group) < _GROUP:
                    following = self._queue.get_nowait()
                    if following is None:
                        self._queue.put(None)  # finish this group, then stop
                        break
                    group.append(following)
            if not self._together(group):
                self._apart(group)

    @contextlib.contextmanager
    def _begin(self, foreseen: Sequence[Foreseen] = ()) -> Iterator[tuple[Connection, Ledger]]:
        with self._engine.begin() as db:
            ledger = Ledger(db, self._ids)
            foresight = Foresight(ledger, foreseen, now())
            with _apart_if_it_fails(foreseen):  # somebody's argument may be what it fails on
                foresight.learn(ledger.begin(not self._sqlite, foresight.questions()))
            yield db, ledger
            with _apart_if_it_fails(ledger.pending):
                ledger.flush()

    def _together(self, group: list[Write]) -> bool:
        """Run a group as one; False when nothing of it stays and it has to be run apart."""
        done: list[tuple[Future[Any], Any]] = []
        refused: list[tuple[Future[Any], Exception]] = []
        try:
            with self._begin([w.foreseen for w in group if w.foreseen]) as (db, ledger):
                for fn, _, future in group:
                    store = Store(db, ledger)
                    try:
                        done.append((future, fn(store)))
                    except Exception as error:
                        if store.tx.wrote or isinstance(error, DBAPIError):
                            raise _Undo(future, error) from None
                        refused.append((future, error))
        except _Undo as undo:
            self._ids.forget()
            if len(group) > 1:
                return False
            undo.future.set_exception(_told(undo.error))
            return True
        except _Apart:
            self._ids.forget()
            return False
        except Exception as error:  # the transaction as a whole: nobody was written
            self._ids.forget()
            refused += [(future, _told(error)) for *_, future in group if not future.done()]
            done = []
        _tell(done, refused)
        return True

    def _apart(self, group: list[Write]) -> None:
        """Run a group in one transaction, each write in a savepoint."""
        done: list[tuple[Future[Any], Any]] = []
        refused: list[tuple[Future[Any], Exception]] = []
        waiting = iter(group)
        begun = False
        try:
            with self._begin() as (db, ledger):
                begun = True
                for fn, _, future in waiting:
                    try:
                        with db.begin_nested():
                            result = fn(Store(db, ledger))
                            ledger.flush()
                    except Exception as error:
                        ledger.forget()
                        refused.append((future, _told(error)))
                        if self._sqlite and not _in_transaction(db):
                            raise
                    else:
                        done.append((future, result))
        except Exception as error:  # the transaction as a whole: nobody so far was written
            self._ids.forget()
            refused += [(future, _told(error)) for future, _ in done]
            if not begun:  # nor would anybody else be
                refused += [(future, _told(error)) for *_, future in waiting]
            done = []
        _tell(done, refused)
        if rest := list(waiting):
            self._apart(rest)


class _Undo(Exception):
    """A write failed that has to be taken back."""

    def __init__(self, future: "Future[Any]", error: Exception) -> None:
        super().__init__()
        self.future, self.error = future, error


class _Apart(Exception):
    """What was done for a group at once failed: whose fault it is shows when they run apart."""


@contextlib.contextmanager
def _apart_if_it_fails(shared: object) -> Iterator[None]:
    """Args:
    shared: Empty when nothing of it is anybody's in particular.
    """
    try:
        yield
    except Exception as error:
        if not shared:
            raise
        raise _Apart from error


def _tell(
    done: list[tuple["Future[Any]", Any]], refused: list[tuple["Future[Any]", Exception]]
) -> None:
    for future, result in done:
        future.set_result(result)
    for future, error in refused:
        if not future.done():
            future.set_exception(error)


def _in_transaction(db: Connection) -> bool:
    """Whether SQLite still has the transaction open: a full disk makes it take all of it back."""
    driver = db.connection.driver_connection
    return isinstance(driver, sqlite3.Connection) and driver.in_transaction


def _told(error: Exception) -> Exception:
    """A full disk in words for whoever called; anything else as it is."""
    if isinstance(error, OperationalError) and "disk is full" in str(error.orig):
        return Unavailable(
            "The disk is full; nothing was written. Free some space, then call once more."
        )
    return error
