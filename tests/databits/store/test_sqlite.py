"""What only a SQLite file can do: be full, and be written ahead of itself."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, update

from databits.store.database import Database
from databits.store.shapes import Filter
from databits.store.tables import items
from tests.conftest import Desk
from tests.databits.store.test_database import add_source, in_one_group, names


def test_the_file_is_written_ahead_and_to_the_disk_before_a_write_returns(
    database: Database,
) -> None:
    def pragma(name: str) -> Callable[[Any], Any]:
        return lambda store: store.tx.db.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert database.write(pragma("journal_mode")) == "wal"
    assert database.write(pragma("synchronous")) == 2
    assert database.write(pragma("foreign_keys")) == 1


def test_a_full_disk_is_told_to_whom_it_concerns_and_what_was_written_stays(
    database: Database,
) -> None:
    database.write(add_source("before"))

    def limit(store: Any) -> None:
        pages = store.tx.db.exec_driver_sql("PRAGMA page_count").scalar()
        store.tx.db.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")

    def fill(store: Any) -> None:
        store.tx.begin_change("import_files", "ana", "test")
        store.records.add_source("too much", "x" * 4_000_000)
        store.tx.end_change()

    def unlimit(store: Any) -> None:
        store.tx.db.exec_driver_sql("PRAGMA max_page_count = 1000000")

    database.write(limit)
    found = in_one_group(database, add_source("a"), fill, add_source("b"))
    acknowledged = {"before"} | {
        name
        for name, result in zip(("a", "too much", "b"), found, strict=True)
        if isinstance(result, int)
    }
    assert isinstance(found[1], Exception)
    assert names(database) == acknowledged
    database.write(unlimit)
    database.write(add_source("after"))
    assert names(database) == acknowledged | {"after"}


def test_what_was_refused_is_found_by_an_index_of_its_own(database: Database) -> None:
    def plan(store: Any) -> str:
        seen: list[tuple[str, Any]] = []

        def keep(_: Any, __: Any, statement: str, given: Any, *___: Any) -> None:
            seen.append((statement, given))

        event.listen(store.tx.db, "before_cursor_execute", keep)
        store.audit.page(0, 50, outcome="refused")
        (statement, given), *_ = seen
        found = store.tx.db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
        return " ".join(row[-1] for row in found)

    told = database.read(plan)
    assert "ix_audit_outcome (outcome=?)" in told
    assert "TEMP B-TREE" not in told


def test_readers_stay_open_for_the_next_read_and_no_longer_than_the_database(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("databits.store.database._KEPT", 3)
    engine, opened, closed = database._readers, [], []
    event.listen(engine, "connect", lambda db, _: opened.append(db))
    event.listen(engine.pool, "close", lambda db, _: closed.append(db))
    for _ in range(10):
        database.read(lambda store: store.records.count())
    assert len(opened) <= 1, "one after the other, they share one"
    five = threading.Barrier(5)

    def wait(store: Any) -> int:
        five.wait(10)
        return int(store.records.count())

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: database.read(wait), range(5)))
    assert len(database._open) == 3, "more than that are not kept"
    with pytest.raises(ZeroDivisionError):
        database.read(lambda store: 1 // 0)
    assert len(database._open) == 2, "that of a read which fails is closed"
    assert engine.pool.checkedout() == 2  # type: ignore[attr-defined]
    assert database.read(lambda store: database.read(lambda inner: inner.records.count())) == 0
    late = database.read(lambda store: database.close() or store.records.count())
    assert late == 0, "a read that has begun is not cut off"
    assert database._open == []
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_what_a_reader_remembers_counts_until_anybody_writes(queued: Desk) -> None:
    database, other = (
        queued.workbench.database,
        Database(str(queued.workbench.settings.url)),
    )

    def look() -> tuple[int, str]:
        def ask(store: Any) -> tuple[int, str]:
            target = store.databits.get("support")
            return store.items.count(target.databit_id, Filter("open")), target.version

        return database.read(ask)

    def shown() -> list[str]:
        said: list[str] = []
        drivers: list[Any] = []

        def listen(store: Any) -> None:
            drivers.append(store.tx.driver._db)
            drivers[0].set_trace_callback(said.append)

        database.read(listen)
        look()
        drivers[0].set_trace_callback(None)
        return [text for text in said if text.startswith("SELECT")]

    assert look() == (18, "1.0.0")
    assert shown() == [], "nothing has changed, so nothing is asked"
    queued("reject_items", databit="support", items=[1])
    assert look() == (17, "1.0.0"), "its own process has written"
    by_another = update(items).where(items.c.id == 2).values(state="rejected")
    other.write(lambda store: store.tx.db.execute(by_another))
    assert look() == (16, "1.0.0"), "another one has"
    assert shown() == []

    def try_it(store: Any) -> int:
        store.tx.db.execute(update(items).values(state="rejected"))
        return int(store.items.count(store.databits.get("support").databit_id, Filter("open")))

    assert database.read(try_it) == 0
    assert look() == (16, "1.0.0"), "what a read writes is thrown away, and what it saw of it"
    other.close()


def test_a_read_that_fails_does_not_hold_the_next_one_to_its_moment(queued: Desk) -> None:
    database, held = queued.workbench.database, []

    def left(store: Any) -> int:
        return int(store.items.count(store.databits.get("support").databit_id, Filter("open")))

    def fail(store: Any) -> None:
        cursor = store.tx.driver._db.execute("SELECT id FROM items")
        held.append((cursor, cursor.fetchone()))  # it has not ended, as in an error's traceback
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.read(fail)
    queued("reject_items", databit="support", items=[1])
    assert database.read(left) == 17
