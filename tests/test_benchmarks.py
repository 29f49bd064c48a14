"""Every benchmark runs, on tiny sizes, and finds that nothing was lost; how fast is not looked at."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import audit, bulk, core, importing, mcp, measure, pages, queue
from benchmarks.databases import Databases, bare, opened
from benchmarks.same_rows import same_rows
from benchmarks.workspace import fill, workbench
from tests import needs


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    if request.param == "postgresql" and needs.postgres() is None:
        pytest.skip("PostgreSQL is not installed: see tests/needs.py")
    with opened(request.param) as made:
        yield made[0]


def test_claim_and_decide_is_measured_beside_its_floor(databases: Databases) -> None:
    lines = queue.measure(databases, queue.SMALL)
    spread = ["one process"] if databases.name == "sqlite" else ["one process", "2 processes"]
    slow = ["one process, commits 1 ms slower"]
    same = ["one process, beside the same rows"] if databases.name == "sqlite" else []
    assert [line.what.partition(" in ")[2] for line in lines] == [*spread, *slow, *same]
    assert all(line.floor and line.product > 0 for line in lines)
    assert all("cpu ms: floor" in line.notes for line in lines)


def test_the_bare_writer_of_the_same_rows_writes_as_many_as_the_product(tmp_path: Path) -> None:
    """And gives no item away twice: else the ratio says nothing."""
    tables = ("changes", "change_rows", "audit", "labels")

    def rows(url: str) -> list[int]:
        with closing(bare(url)) as db:
            return [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables]

    def grown(url: str, side: Any) -> list[int]:
        before = rows(url)
        with side as step:
            assert all(step(f"person-{n % 3}") for n in range(10))
        return [now - then for now, then in zip(rows(url), before, strict=True)]

    with opened("sqlite") as (databases,):
        made = databases.new()
        with workbench(made, tmp_path) as bench:
            for name in ("queue-0", "queue-1"):
                fill(bench, name, 20, 40)
        with queue._product(made, tmp_path, 2) as step:
            step("sample-0")
        copy = databases.copy(made)
        assert grown(copy, same_rows(copy)) == grown(made, queue._product(made, tmp_path, 2))
        with closing(bare(copy)) as db:
            decided = "SELECT count(*), count(DISTINCT item_id) FROM labels"
            assert db.execute(decided).fetchone() == (11, 11)
            done = "SELECT count(*) FROM items WHERE state = 'approved' AND held_by IS NULL"
            assert db.execute(done).fetchone() == (11,)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_bulk_approval_and_its_undo_are_measured_beside_bare_sql(databases: Databases) -> None:
    approve, undo = bulk.measure(databases, bulk.SMALL)
    assert approve.what.startswith("bulk approve of 200 items")
    assert undo.what.startswith("undo of 200 approvals")
    assert approve.ratio is not None
    assert undo.ratio is not None


def test_import_and_queue_are_measured_with_their_memory(databases: Databases) -> None:
    lines = importing.measure(databases, importing.SMALL)
    assert [line.unit for line in lines] == ["rows/s", "rows/s"]
    assert all("MiB" in line.notes for line in lines)


def test_pages_are_measured_at_growing_numbers_and_for_how_flat_they_are(
    databases: Databases,
) -> None:
    lines = pages.measure(databases, pages.SMALL)
    assert [line.what for line in lines[:3]] == [
        "page of 50 of 200 items",
        "page of 50 of 400 items",
        "that page at 400 beside 200",
    ]
    assert {line.unit for line in lines} == {"ms"}
    assert all(line.met is not None for line in lines)


def test_a_chain_made_in_bulk_verifies(databases: Databases) -> None:
    (line,) = audit.measure(databases, audit.SMALL)
    assert line.met is True


@pytest.mark.slow
def test_calls_over_mcp_are_measured_beside_a_bare_server(tmp_path: Path) -> None:
    home = mcp.prepared(tmp_path, mcp.SMALL)
    call, added = mcp.in_memory(home, mcp.SMALL)
    assert call.floor
    assert added.product == pytest.approx(call.product - call.floor)
    (spoken,) = mcp.on_stdio(home, mcp.SMALL)
    assert spoken.product > 0
    served = mcp.over_http(home, mcp.SMALL)
    assert [line.what for line in served] == [f"calls over HTTP, {n} clients" for n in (1, 4)]
    assert all(line.floor and line.product > 0 for line in served)
    (started,) = mcp.start(home, mcp.SMALL)
    assert started.met is not None


def test_core_prints_one_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["core", "--small", "--parts", "bulk,audit", "--databases", "sqlite"]
    monkeypatch.setattr("sys.argv", said)
    core.main()
    printed = capsys.readouterr().out
    assert "fdatasync" in printed
    assert printed.count("what ") == 1
    assert "verify_audit, 500 events" in printed
    assert "bulk approve of 200 items" in printed


def test_items_that_run_out_stop_a_measurement_instead_of_making_it_look_fast() -> None:
    left = iter([True, True])
    with pytest.raises(RuntimeError, match="more of them"):
        measure.drive(lambda _: next(left, False), ["person-0"], start=0.0, seconds=float("inf"))


@pytest.mark.parametrize(
    ("line", "met"),
    [
        (measure.Line("a", "b", 100, 50, "pairs/s", least=0.5), True),
        (measure.Line("a", "b", 100, 49, "pairs/s", least=0.5), False),
        (measure.Line("a", "b", 1, 5, "s", most=5), True),
        (measure.Line("a", "b", 1, 6, "s", most=5), False),
        (measure.Line("a", "b", 1, 11, "ms", cap=10), False),
        (measure.Line("a", "b", None, 9, "ms", cap=10), True),
        (measure.Line("a", "b", 1, 9, "ms"), None),
    ],
)
def test_a_target_is_met_or_not(line: measure.Line, met: bool | None) -> None:
    assert line.met is met
