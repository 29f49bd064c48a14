"""What only a SQLite file can do: be full, and be written ahead of itself."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from databits.store.database import Database
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
