"""What only PostgreSQL needs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from databits.store import pinging
from databits.store.database import Database
from databits.store.tables import audit, change_rows, changes, items, labels, records
from tests.databases import NewDatabase
from tests.databits.store.test_database import add_source, fill_queue, names

if TYPE_CHECKING:
    from tests.conftest import MakeDesk

pytestmark = pytest.mark.slow

GROW = {table.name for table in (audit, change_rows, changes, items, labels, records)}


def test_no_write_reads_a_whole_table_that_was_small_when_its_plan_was_made(
    new_postgres: NewDatabase, open_desk: "MakeDesk", tmp_path: Path
) -> None:
    url = new_postgres()
    desk = open_desk(tmp_path / "home", database_url=url)
    fill_queue(desk, tmp_path, 20)
    with create_engine(url, poolclass=NullPool).connect() as db:
        alone(db, desk.workbench.database.close)
        db.execute(text("ANALYZE"))  # as autovacuum does, after some fifty rows
        db.commit()
        before = whole_reads(db)

        again = open_desk(tmp_path / "home", database_url=url)
        for _ in range(10):
            (item,) = again("claim_items", databit="support").items
            again("correct_labels", databit="support", items=[item.id], label="a")
        alone(db, again.workbench.database.close)
        assert whole_reads(db) == before


@pytest.mark.parametrize("told", [True, False], ids=["told so", "found out after a rest"])
def test_connections_that_the_server_has_ended_are_opened_again(
    new_postgres: NewDatabase, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    database = Database(new_postgres())
    try:
        database.write(add_source("before"))
        assert names(database) == {"before"}
        if not told:  # as by a firewall that forgets them
            monkeypatch.setattr(pinging, "_has_said_something", lambda _: False)
            monkeypatch.setattr(pinging, "_IDLE_S", 0.0)
        with create_engine(database.url, poolclass=NullPool).connect() as db:
            ended = db.execute(text(f"SELECT pg_terminate_backend(pid) {OTHERS}")).all()
            assert len(ended) >= 2, "the writer's and a reader's"
            alone(db, lambda: None)
        database.write(add_source("after"))
        assert names(database) == {"before", "after"}
    finally:
        database.close()


OTHERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)


def alone(db: Connection, close: Callable[[], None]) -> None:
    """Close the workspace, and wait for its connections to end: each counts its reads by then."""
    close()
    while db.scalar(text(f"SELECT count(*) {OTHERS}")):
        db.rollback()
        time.sleep(0.01)
    db.rollback()


def whole_reads(db: Connection) -> dict[str, int]:
    """How often each table that grows was read from one end to the other."""
    counts = db.execute(text("SELECT relname, seq_scan FROM pg_stat_user_tables"))
    found = {name: count for name, count in counts if name in GROW}
    db.rollback()
    assert found.keys() == GROW
    return found
