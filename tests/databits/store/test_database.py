"""Many readers, one writer: what was acknowledged is there, what failed is not, and nothing else."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import NullPool, PrimaryKeyConstraint, UniqueConstraint, create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from databits.actor import Actor
from databits.change import append
from databits.errors import Conflict, Unavailable
from databits.store.database import Database
from databits.store.migrations import MIGRATIONS, migrate
from databits.store.shapes import now
from databits.store.tables import audit, changes, items, metadata
from databits.store.writer import Answer, Write

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def add_source(name: str) -> Callable[[Any], int]:
    def write(store: Any) -> int:
        store.tx.begin_change("import_files", "ana", "test")
        made = store.records.add_source(name, "path")
        store.tx.end_change()
        return int(made)

    return write


def names(database: Database) -> set[str]:
    return set(database.read(lambda store: store.records.source_names()))


# --- the writer -----------------------------------------------------------------------------------


def test_of_many_writes_at_once_none_is_lost(database: Database) -> None:
    with ThreadPoolExecutor(32) as pool:
        ids = list(pool.map(lambda n: database.write(add_source(f"source-{n}")), range(640)))
    assert len(set(ids)) == 640
    assert names(database) == {f"source-{n}" for n in range(640)}
    made = database.read(lambda store: [row.id for row in store.tx.rows(changes.select())])
    assert sorted(made) == list(range(1, 641))


def test_what_a_write_returned_is_there_for_others(database: Database) -> None:
    database.write(add_source("kept"))
    with create_engine(database.url, poolclass=NullPool).connect() as other:
        assert other.execute(text("SELECT name FROM sources")).all() == [("kept",)]


def in_one_group(database: Database, *writes: Callable[[Any], Any]) -> list[Any]:
    """Results or errors of writes that stood in the queue together, and so shared a commit."""
    return calls_of_one_group(database, *(partial(database.write, write) for write in writes))


def calls_of_one_group(database: Database, *calls: Callable[[], Any]) -> list[Any]:
    """Results or errors of calls whose writes stood in the queue together, in this order."""
    begun, gate = threading.Event(), threading.Event()

    def hold(_: Any) -> None:
        begun.set()
        gate.wait()

    def outcome(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls) + 1) as pool:
        holding = pool.submit(database.write, hold)
        begun.wait()
        waiting = []
        for n, call in enumerate(calls, 1):
            waiting.append(pool.submit(outcome, call))
            while database._writer._queue.qsize() < n:
                pass
        gate.set()
        holding.result()
        return [future.result() for future in waiting]


def test_a_failing_write_takes_only_itself_back(database: Database) -> None:
    def fail(store: Any) -> None:
        add_source("lost")(store)
        raise ValueError("half way")

    def break_a_rule(store: Any) -> None:
        add_source("lost too")(store)
        add_source("first")(store)  # the name is taken

    found = in_one_group(
        database, add_source("first"), fail, add_source("second"), break_a_rule, add_source("third")
    )
    assert [type(found[1]), type(found[3])] == [ValueError, IntegrityError]
    assert str(found[1]) == "half way"
    assert names(database) == {"first", "second", "third"}
    ids = [found[0], found[2], found[4]]
    assert len(set(ids)) == 3


def test_an_event_of_a_write_that_fails_is_not_left_to_its_group(database: Database) -> None:
    def say_and_fail(store: Any) -> None:
        append(store, Actor("ana", "admin", "test"), "import_files", "0" * 64, "ok")
        raise ValueError("after it was said")

    found = in_one_group(database, add_source("first"), say_and_fail, add_source("second"))
    assert str(found[1]) == "after it was said"
    assert database.read(lambda store: store.audit.count()) == 0
    assert names(database) == {"first", "second"}


def test_a_database_that_goes_away_between_two_tries_is_told_to_everybody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: Any) -> None:
        add_source("lost")(store)
        monkeypatch.setattr(database._writer, "_begin", gone)
        raise ValueError("half way")

    @contextlib.contextmanager
    def gone(*_: Any) -> Iterator[Any]:
        raise OperationalError("BEGIN", None, Exception("server closed the connection"))
        yield

    found = in_one_group(database, add_source("first"), fail, add_source("second"))
    assert [type(each) for each in found] == [OperationalError] * 3
    monkeypatch.undo()
    assert database.write(add_source("later"))
    assert names(database) == {"later"}


def test_a_write_sees_the_writes_before_it_in_its_group(database: Database) -> None:
    def count(store: Any) -> int:
        return int(store.records.count_sources())

    assert in_one_group(database, add_source("a"), count, add_source("b"), count)[1::2] == [1, 2]


def test_an_error_is_raised_to_its_caller_and_the_writer_lives_on(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            database.write(lambda store: 1 // 0)
    database.write(add_source("after"))
    assert names(database) == {"after"}


def test_what_would_end_a_program_ends_its_write_and_nobody_elses(database: Database) -> None:
    ended: list[Any] = []

    def leave(store: Any) -> None:
        add_source("lost")(store)
        raise SystemExit(3)

    def call() -> None:
        try:
            database.write(leave)
        except SystemExit as error:
            ended.append(error.code)

    alone = threading.Thread(target=call, daemon=True)
    alone.start()
    alone.join(10)
    assert ended == [3], "whoever waits is told"
    first, second = (partial(database.write, add_source(name)) for name in ("first", "second"))
    calls_of_one_group(database, first, call, second)
    assert ended == [3, 3]
    assert names(database) == {"first", "second"}


def test_those_who_came_meanwhile_and_those_who_come_again_share_the_next_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two halves of all clients would go on by turns, with two commits where one would do."""
    writer = database._writer
    sizes: list[int] = []
    together = writer._together
    monkeypatch.setattr(
        writer, "_together", lambda group: (sizes.append(len(group)), together(group))[1]
    )
    begun = threading.Event()

    def until(waiting: int) -> Callable[[Any], None]:
        """A write that ends once so many others wait."""

        def write(_: Any) -> None:
            begun.set()
            while writer._queue.qsize() < waiting:
                pass

        return write

    def pause(seconds: float) -> None:
        monkeypatch.setattr("databits.store.writer._PAUSE", seconds)

    def twice(first: Callable[[Any], None]) -> None:
        database.write(first)
        database.write(lambda _: pause(0.001))  # nobody comes again after these

    pause(30)  # as long as it takes
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(database.write, until(2))]
        begun.wait(30)
        calls += [pool.submit(twice, until(2)) for _ in range(2)]
        calls[0].result()
        calls += [pool.submit(database.write, until(0)) for _ in range(2)]
        for call in calls:
            call.result()
    assert sizes == [1, 2, 4]


def test_whoever_is_interrupted_while_waiting_keeps_nobody_from_their_answer(
    database: Database,
) -> None:
    answered: list[str] = []

    def leave(name: str) -> None:  # as somebody who pressed Ctrl+C
        database._writer._queue.put(Write(add_source(name), None, Answer()))

    def ask(name: str) -> None:
        database.write(add_source(name))
        answered.append(name)

    calls_of_one_group(
        database,
        partial(ask, "first"),
        partial(leave, "left"),
        partial(ask, "second"),
        partial(leave, "left too"),
        partial(ask, "third"),
    )
    assert sorted(answered) == ["first", "second", "third"]
    assert names(database) == {"first", "left", "second", "left too", "third"}


def test_a_write_inside_a_write_is_refused(database: Database) -> None:
    with pytest.raises(RuntimeError, match="inside a write"):
        database.write(lambda store: database.write(add_source("inner")))
    assert names(database) == set()


def test_a_write_outside_a_change_is_refused(database: Database) -> None:
    with pytest.raises(RuntimeError, match="outside a change"):
        database.write(lambda store: store.records.add_source("a", "b"))
    assert names(database) == set()


def test_what_a_read_writes_is_thrown_away(database: Database) -> None:
    database.read(add_source("written in a read"))
    assert names(database) == set()
    database.write(add_source("real"))
    assert names(database) == {"real"}


def test_a_read_is_a_view_of_one_moment(database: Database) -> None:
    database.write(add_source("a"))

    def look_twice(store: Any) -> tuple[int, int]:
        first = store.records.count_sources()
        database.write(add_source("b"))
        return first, store.records.count_sources()

    assert database.read(look_twice) == (1, 1)
    assert names(database) == {"a", "b"}


def test_two_processes_can_share_the_database(database: Database, database_url: str) -> None:
    other = Database(database_url)
    both = (database, other)
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: both[n % 2].write(add_source(f"s{n}")), range(60)))
    other.close()
    assert len(set(ids)) == 60
    assert len(names(database)) == 60
    assert len(database.read(lambda store: store.tx.rows(changes.select()))) == 60


# --- claims ---------------------------------------------------------------------------------------


def claim_all(desk: "Desk", people: int) -> dict[str, set[int]]:
    """Every person claims three items at a time until there are none left."""
    got: dict[str, set[int]] = {f"person-{n}": set() for n in range(people)}
    start = threading.Barrier(people)

    def claim(name: str) -> None:
        mine = desk.as_(name, "labeler")
        start.wait()
        while True:
            claimed = mine("claim_items", databit="support", count=3)
            ids = [item.id for item in claimed.items]
            if not ids:
                return
            got[name].update(ids)
            mine("skip_items", databit="support", items=ids)

    with ThreadPoolExecutor(people) as pool:
        list(pool.map(claim, got))
    return got


def fill_queue(desk: "Desk", folder: Path, rows: int) -> None:
    path = folder / "many.csv"
    path.write_text("text\n" + "".join(f"text {n}\n" for n in range(rows)), encoding="utf-8")
    desk("import_files", path=str(path))
    desk("create_databit", name="support", labels=["a", "b"])
    desk("queue_items", databit="support")


def test_no_item_is_ever_given_to_two_people(desk: "Desk", tmp_path: Path) -> None:
    fill_queue(desk, tmp_path, 120)
    got = claim_all(desk, 16)
    given = [item for mine in got.values() for item in mine]
    assert sorted(given) == list(range(1, 121))
    assert {row["state"] for row in desk.rows(items)} == {"skipped"}
    assert desk("verify_audit").intact


def test_ids_grow_in_the_order_of_time_whichever_process_hands_them_out(
    database: Database, database_url: str
) -> None:
    """The newest version, route or plan is the one with the highest id."""
    other = Database(database_url)
    for table in metadata.sorted_tables:
        if table.name in {"labels", "change_rows"}:  # of these nobody asks which came first
            continue
        ids = [
            each.write(lambda store, t=table: store.tx.allocate(t)[0])
            for each in (database, other) * 2
        ]
        assert ids == sorted(set(ids)), table.name
    other.close()


# --- the schema -----------------------------------------------------------------------------------


def test_migrations_run_once(database: Database, database_url: str) -> None:
    assert database.write(lambda store: migrate(store.tx.db, now())) == 0
    database.write(add_source("kept"))
    again = Database(database_url)
    assert names(again) == {"kept"}
    again.close()


def test_a_database_from_a_newer_version_is_refused_and_left_alone(
    database: Database, database_url: str
) -> None:
    newer = len(MIGRATIONS) + 1

    def upgrade(store: Any) -> None:
        statement = f"INSERT INTO migrations VALUES ({newer}, 'from the future', 0)"
        store.tx.db.exec_driver_sql(statement)

    database.write(upgrade)
    with pytest.raises(Conflict, match=r"Upgrade databits-workbench"):
        Database(database_url)
    assert names(database) == set()


def test_whoever_cannot_open_it_leaves_nothing_behind(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that tries every second would else have a thread more each time."""

    def refuse(*_: object) -> int:
        raise Unavailable("This workspace is newer.")

    monkeypatch.setattr("databits.store.database.migrate", refuse)
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(Unavailable, match="newer"):
            Database(database_url)
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    assert set(threading.enumerate()) <= before


def test_the_schema_compiles_for_postgresql() -> None:
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))


def test_every_foreign_key_is_indexed() -> None:
    # Undo asks for what rests on a row; without an index that is a scan of the whole table.
    for table in metadata.sorted_tables:
        leading = {next(iter(index.columns)).name for index in table.indexes}
        unique = [
            c for c in table.constraints if isinstance(c, PrimaryKeyConstraint | UniqueConstraint)
        ]
        leading |= {next(iter(c.columns)).name for c in unique if len(c.columns)}
        unindexed = {key.parent.name for key in table.foreign_keys} - leading
        assert not unindexed - FEW.get(table.name, set()), table.name


# A handful of rows: scanning them costs less than an index.
FEW = {"datasets": {"databit_version_id"}, "evaluations": {"dataset_id"}}


# --- the whole of it ------------------------------------------------------------------------------


def test_the_journey_goes_and_undo_restores_it(desk: "Desk", tmp_path: Path) -> None:
    empty = desk.state()
    fill_queue(desk, tmp_path, 20)
    before = desk.state()
    desk("correct_labels", databit="support", items=list(range(1, 11)), label="a")
    desk("correct_labels", databit="support", items=list(range(11, 21)), label="b", reason="é")
    made = desk("assemble_dataset", databit="support")
    assert made["rows"] == 20
    desk("undo_change", change=made["change_id"])
    for change in (5, 4):
        desk("undo_change", change=change)
    assert desk.state() == before
    for change in (3, 2, 1):
        desk("undo_change", change=change)
    assert desk.state() == empty
    assert desk("verify_audit").intact


def test_of_many_operations_at_once_none_is_lost(desk: "Desk") -> None:
    def create(n: int) -> int:
        return int(desk("create_databit", name=f"d{n}", labels=["a", "b"]).change_id)

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(create, range(96)))
    assert sorted(made) == list(range(1, 97))
    assert len(desk.rows(audit)) == 96
    assert desk("verify_audit").intact


def test_what_a_group_remembers_of_a_databit_is_forgotten_when_it_changes(desk: "Desk") -> None:
    desk("create_databit", name="support", labels=["a", "b"])

    def revise(store: Any) -> tuple[str, str, str]:
        first = store.databits.get("support")
        again = store.databits.get("support")
        store.tx.begin_change("create_databit", "ana", "test")
        store.databits.add_version(first.databit_id, "1.1.0", first.body, "ana")
        store.tx.end_change()
        return first.version, again.version, store.databits.get("support").version

    assert desk.workbench.database.write(revise) == ("1.0.0", "1.0.0", "1.1.0")
    assert desk.workbench.database.read(lambda s: s.databits.get("support").version) == "1.1.0"


def test_a_write_after_the_end_is_refused_and_one_before_it_is_done(database: Database) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def slow(store: Any) -> int:
        begun.set()
        goes_on.wait(60)
        return add_source("late")(store)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(database.write, slow)
        assert begun.wait(60)
        closing = pool.submit(database.close)
        goes_on.set()
        closing.result(60)
        assert first.result(60)
        for _ in range(2):
            refused = pool.submit(database.write, add_source("never"))
            with pytest.raises(Unavailable, match="closed here; nothing was written"):
                refused.result(60)
