"""A person's rows of a log, which an index by blocks finds: the same as without one, in the same order."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from sqlalchemy import event, insert

from databits.store.database import Database
from databits.store.shapes import Wanted
from databits.store.tables import audit, changes
from databits.store.tables.history import BLOCK

pytestmark = pytest.mark.both_databases

ROWS = 20 * BLOCK + 7  # more blocks than the first two looks
GONE = 2 * BLOCK + 5
EVENT = {
    "role": "reviewer",
    "surface": "test",
    "client": "",
    "arguments_sha256": "",
    "detail": "",
    "previous": "",
    "hash": "",
}


def who(n: int) -> str:
    """Everybody has a share; one did a single thing, long ago."""
    return "rare" if n == 4 else ("ana", "ben", "lena")[n * n % 7 % 3]


def what(n: int) -> tuple[str, str]:
    return ("claim_items", "label_items")[n % 5 == 0], ("ok", "refused")[n % 11 == 0]


@pytest.fixture
def logs(database: Database) -> Database:
    def fill(store: Any) -> None:
        every = range(1, ROWS + 1)
        told = [{"id": n, "actor": who(n), "at": n, "operation": what(n)[0]} for n in every]
        # Every other one changed something, but for a change that is not there.
        of = {n: n // 2 if n % 2 == 0 and n // 2 != GONE else None for n in every}
        store.tx.db.execute(
            insert(audit),
            [{**e, **EVENT, "outcome": what(e["id"])[1], "change_id": of[e["id"]]} for e in told],
        )
        same = {"surface": "test", "state": "applied", "rows": 0}
        made = [{**told[n - 1], "id": of[n]} for n in every if of[n]]
        store.tx.db.execute(insert(changes), [{**change, **same} for change in made])

    database.write(fill)
    return database


def test_a_persons_events(logs: Database) -> None:
    for person, operation, outcome in product(
        ("ana", "rare", "nobody"), (None, "label_items"), (None, "ok", "refused")
    ):
        mine = [
            n
            for n in range(ROWS, 0, -1)
            if who(n) == person
            and operation in (None, what(n)[0])
            and outcome in (None, what(n)[1])
        ]
        asked = {"actor": person, "operation": operation, "outcome": outcome}
        for before in (0, ROWS, 2 * BLOCK, 2 * BLOCK + 1, 5, 4, 1):
            found = ids(logs, lambda store, b=before, a=asked: store.audit.page(b, 60, **a))
            assert found == [n for n in mine if not before or n < before][:60]
        assert logs.read(lambda store, a=asked: store.audit.count(**a)) == len(mine)


def test_changes_by_who_made_them_and_how(logs: Database) -> None:
    for person, operation in product((None, "ana", "rare", "nobody"), (None, "label_items")):
        mine = [
            n // 2
            for n in range(ROWS - ROWS % 2, 0, -2)
            if person in (None, who(n)) and operation in (None, what(n)[0]) and n // 2 != GONE
        ]
        wanted = Wanted(actor=person, operation=operation)
        found = ids(logs, lambda store, w=wanted: store.history.page(w, 0, 900))
        while found and (
            more := ids(logs, lambda store, w=wanted, b=found[-1]: store.history.page(w, b, 900))
        ):
            found += more
        assert found == mine
        for before in (ROWS, GONE, 3, 2, 1):
            page = ids(logs, lambda store, w=wanted, b=before: store.history.page(w, b, 5))
            assert page == [i for i in mine if i < before][:5]
        count = logs.read(lambda store, w=wanted: store.history.count(w))
        assert count == min(len(mine), 1_000), "as many as are counted"


def ids(logs: Database, page: Callable[[Any], Any]) -> list[int]:
    return [row.id for row in logs.read(page)]


def test_it_goes_by_the_index(logs: Database) -> None:
    """A step into the index a block, and no look at other people's rows."""

    def plans(store: Any) -> list[str]:
        seen: list[tuple[str, Any]] = []

        def keep(_: Any, __: Any, statement: str, given: Any, *___: Any) -> None:
            if "max(" not in statement:
                seen.append((statement, given))

        event.listen(store.tx.db, "before_cursor_execute", keep)
        store.audit.page(0, 50, actor="rare")
        store.audit.count(actor="rare", operation="claim_items")
        store.history.page(Wanted(actor="nobody"), 0, 50)
        store.history.count(Wanted(actor="nobody"))
        event.remove(store.tx.db, "before_cursor_execute", keep)
        word = "EXPLAIN QUERY PLAN" if store.tx.driver.sqlite else "EXPLAIN"
        return [
            "\n".join(str(row[-1]) for row in store.tx.db.exec_driver_sql(f"{word} {sql}", given))
            for sql, given in seen
            if "_block" in sql or f"/ {BLOCK}" in sql
        ]

    def analyzed(store: Any) -> None:
        if not store.tx.driver.sqlite:
            store.tx.db.exec_driver_sql("ANALYZE")

    logs.write(analyzed)
    found = logs.read(plans)
    assert len(found) >= 6
    for plan in found:
        assert "_block" in plan, plan
        assert "SCAN audit" not in plan
        assert "SCAN changes" not in plan
