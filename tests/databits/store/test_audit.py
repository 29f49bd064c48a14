"""Everything that changes something is on record, and the record shows when it was touched."""

import contextlib
import random
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import DatabitsError
from databits.platforms.embedded.jobs import work
from databits.store.audit import GENESIS, digest
from databits.store.tables import audit

if TYPE_CHECKING:
    from tests.conftest import Desk

LABELS = ("billing", "login", "shipping", "no such label")


def random_call(desk: "Desk", dice: random.Random) -> None:
    """A call of some operation by somebody, which may well be refused."""
    item = dice.randint(1, 20)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("correct_labels", {"databit": "support", "items": [item], "label": dice.choice(LABELS)}),
        ("reject_items", {"databit": "support", "items": [item]}),
        ("claim_items", {"databit": "support", "count": dice.randint(1, 60)}),
        ("undo_change", {"change": dice.randint(1, 12)}),
        ("bulk_label", {"databit": "support", "verdict": "reject", "contains": "parcel"}),
        ("queue_items", {"databit": dice.choice(["support", "none"])}),
        ("list_items", {"databit": "support"}),
        ("assemble_dataset", {"databit": "support"}),
    ]
    name, arguments = dice.choice(calls)
    role = dice.choice(("viewer", "labeler", "reviewer", "engineer"))
    actor = desk.as_(f"a {role}", role, person=dice.random() < 0.5).actor
    with contextlib.suppress(DatabitsError):
        desk.workbench.run(name, arguments, actor)
    work(desk.workbench, idle_seconds=0)


@pytest.fixture
def busy(queued: "Desk") -> "Desk":
    """Sixty random calls by people of every role."""
    dice = random.Random(7)
    for _ in range(60):
        random_call(queued, dice)
    return queued


def tamper(home: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(home / "workbench.db", isolation_level=None) as db:
        db.execute(statement, values)


def first_broken(desk: "Desk") -> int | None:
    found = desk("verify_audit")
    assert found.intact == (found.first_broken is None)
    return found.first_broken


def test_the_chain_holds_whatever_was_called_and_refused(busy: "Desk") -> None:
    rows = busy.rows(audit)
    assert {"ok", "refused", "failed", "planned", "queued"} <= {row["outcome"] for row in rows}
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0]["previous"] == GENESIS
    found = busy("verify_audit")
    assert (found.intact, found.events) == (True, len(rows))


def test_a_changed_column_of_any_row_is_found(busy: "Desk", tmp_path: Path) -> None:
    rows = busy.rows(audit)
    some = (rows[0], rows[len(rows) // 2], rows[-1])
    for row, column in ((r, c.name) for r in some for c in audit.c if c.name != "id"):
        changed = row[column] + 1 if isinstance(row[column], int) else f"{row[column] or ''}x"
        statement = f"UPDATE audit SET {column} = ? WHERE id = ?"
        tamper(tmp_path / "home", statement, changed, row["id"])
        assert first_broken(busy) == row["id"]
        tamper(tmp_path / "home", statement, row[column], row["id"])
    assert first_broken(busy) is None


def test_a_deleted_row_is_found_wherever_it_was(busy: "Desk", tmp_path: Path) -> None:
    rows = busy.rows(audit)
    names = ", ".join(rows[0])
    marks = ", ".join("?" * len(rows[0]))
    with_change = [row["id"] for row in rows if row["change_id"]]
    for row_id in (1, len(rows) // 2):
        tamper(tmp_path / "home", "DELETE FROM audit WHERE id = ?", row_id)
        assert first_broken(busy) == row_id + 1
        row = rows[row_id - 1]
        tamper(tmp_path / "home", f"INSERT INTO audit ({names}) VALUES ({marks})", *row.values())
    # The chain itself does not know its end: the changes do.
    tamper(tmp_path / "home", "DELETE FROM audit WHERE id >= ?", with_change[-1])
    assert first_broken(busy) == with_change[-1]
    tamper(tmp_path / "home", "DELETE FROM audit")
    assert first_broken(busy) == 1


def test_rows_that_changed_places_are_found(busy: "Desk", tmp_path: Path) -> None:
    for old, new in ((5, -1), (6, 5), (-1, 6)):
        tamper(tmp_path / "home", "UPDATE audit SET id = ? WHERE id = ?", new, old)
    assert first_broken(busy) == 5


def test_a_row_put_in_is_found(busy: "Desk", tmp_path: Path) -> None:
    row = {**busy.rows(audit)[-1], "id": len(busy.rows(audit)) + 1, "operation": "deploy_model"}
    marks = ", ".join("?" * len(row))
    statement = f"INSERT INTO audit ({', '.join(row)}) VALUES ({marks})"
    tamper(tmp_path / "home", statement, *row.values())
    assert first_broken(busy) == row["id"]


def test_a_refused_and_a_failed_write_each_leave_a_row(queued: "Desk") -> None:
    before = len(queued.rows(audit))
    with pytest.raises(DatabitsError):
        queued.as_("vera", "viewer")("skip_items", databit="support", items=[1])
    with pytest.raises(DatabitsError):
        queued("skip_items", databit="support", items=[99])
    with pytest.raises(DatabitsError):
        queued("skip_items", databit="support", items="all", confirm=True)
    refused, failed, invalid = queued.rows(audit)[before:]
    assert (refused["actor"], refused["outcome"]) == ("vera", "refused")
    assert (failed["outcome"], invalid["outcome"]) == ("failed", "failed")
    assert failed["change_id"] is None
    assert failed["detail"].startswith("Not found")


def test_reads_leave_no_row_unless_they_are_refused(queued: "Desk") -> None:
    before = len(queued.rows(audit))
    queued("list_items", databit="support")
    with pytest.raises(DatabitsError):
        queued("list_items", databit="other")
    assert len(queued.rows(audit)) == before
    with pytest.raises(DatabitsError):
        queued.as_("vera", "viewer")("list_items", databit="support")
    assert [row["outcome"] for row in queued.rows(audit)[before:]] == ["refused"]


def test_a_change_and_its_row_name_each_other(queued: "Desk") -> None:
    made = queued("skip_items", databit="support", items=[1])
    row = queued.rows(audit)[-1]
    assert (row["change_id"], row["operation"], row["outcome"]) == (
        made.change_id,
        "skip_items",
        "ok",
    )
    arguments = {"databit": "support", "items": [1], "reason": ""}
    assert row["arguments_sha256"] == digest(arguments)


def test_half_a_character_in_an_argument_is_on_record_too(queued: "Desk") -> None:
    with pytest.raises(DatabitsError):
        queued("skip_items", databit="support", items=[1], reason="broken \ud83d")
    assert queued.outcomes("skip_items") == ["failed"]
    assert queued("verify_audit").intact
