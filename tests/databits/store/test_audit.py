"""Everything that changes something is on record, and the record shows when it was touched."""

import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databits.digest import digest
from databits.errors import DatabitsError
from databits.platforms.embedded.jobs import work
from databits.store.audit import GENESIS, link
from databits.store.tables import audit

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases

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


def test_a_changed_column_of_any_row_is_found(busy: "Desk") -> None:
    rows = busy.rows(audit)
    some = (rows[0], rows[len(rows) // 2], rows[-1])
    for row, column in ((r, c.name) for r in some for c in audit.c if c.name != "id"):
        value = row[column]
        if isinstance(value, str):
            changed: Any = "x" + value[1:]
        else:
            changed = (value or 0) + 1 if column != "trace_id" else "x"
        statement = f"UPDATE audit SET {column} = :value WHERE id = :id"
        busy.tamper(statement, value=changed, id=row["id"])
        assert first_broken(busy) == row["id"]
        busy.tamper(statement, value=row[column], id=row["id"])
    assert first_broken(busy) is None


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_single_flipped_bit_is_found_where_it_is(busy: "Desk", data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(busy.rows(audit)))
    said = [n for n, v in row.items() if n != "id" and v not in (None, "")]
    column = data.draw(st.sampled_from(said))
    value = flipped(busy, row[column], data)
    assert value != row[column]
    change = "UPDATE audit SET {} = {} WHERE id = :id"
    raw = "CAST(:value AS TEXT)" if isinstance(value, bytes) else ":value"
    busy.tamper(change.format(column, raw), value=value, id=row["id"])
    try:
        assert first_broken(busy) == row["id"]
    finally:
        busy.tamper(change.format(column, ":value"), value=row[column], id=row["id"])
    assert first_broken(busy) is None


def flipped(desk: "Desk", value: Any, data: st.DataObject) -> Any:
    """The value with one bit turned over, as far as the database can hold what comes of it.

    SQLite holds any bytes as a text; PostgreSQL only UTF-8 without zeros, so the bits there are
    those that turn one ASCII character into another.
    """
    if isinstance(value, int):
        return value ^ (1 << data.draw(st.integers(0, 62)))
    held = bytearray(value.encode())
    anything = desk.workbench.database.sqlite
    places = [n for n, byte in enumerate(held) if anything or 0x20 <= byte < 0x7F]
    place = data.draw(st.sampled_from(places))
    bit = data.draw(st.integers(0, 7 if anything else 4))
    held[place] ^= 1 << bit
    return bytes(held) if anything else held.decode()


def put(desk: "Desk", row: dict[str, Any]) -> None:
    marks = ", ".join(f":{name}" for name in row)
    desk.tamper(f"INSERT INTO audit ({', '.join(row)}) VALUES ({marks})", **row)


def test_a_deleted_row_is_found_wherever_it_was(busy: "Desk") -> None:
    rows = busy.rows(audit)
    with_change = [row["id"] for row in rows if row["change_id"]]
    for row_id in (1, len(rows) // 2):
        busy.tamper("DELETE FROM audit WHERE id = :id", id=row_id)
        assert first_broken(busy) == row_id + 1
        put(busy, rows[row_id - 1])
        assert first_broken(busy) is None
    # The chain itself does not know its end: the changes do.
    busy.tamper("DELETE FROM audit WHERE id >= :id", id=with_change[-1])
    assert first_broken(busy) == with_change[-1]
    busy.tamper("DELETE FROM audit")
    assert first_broken(busy) == 1


@pytest.mark.parametrize("first", [1, 5, 40])
def test_rows_that_changed_places_are_found(busy: "Desk", first: int) -> None:
    for old, new in ((first, -1), (first + 1, first), (-1, first + 1)):
        busy.tamper("UPDATE audit SET id = :new WHERE id = :old", new=new, old=old)
    assert first_broken(busy) == first


def test_rows_whose_content_changed_places_are_found(busy: "Desk") -> None:
    rows = busy.rows(audit)
    for mine, other in ((3, 4), (4, 3)):
        busy.tamper("DELETE FROM audit WHERE id = :id", id=mine)
        put(busy, {**rows[other - 1], "id": mine})
    assert first_broken(busy) == 3


def test_a_row_put_in_is_found(busy: "Desk") -> None:
    row = {**busy.rows(audit)[-1], "id": len(busy.rows(audit)) + 1, "operation": "deploy_model"}
    put(busy, row)
    assert first_broken(busy) == row["id"]


def test_a_row_put_in_the_middle_with_a_hash_of_its_own_is_found(busy: "Desk") -> None:
    rows = busy.rows(audit)
    busy.tamper("UPDATE audit SET id = id + 1000 WHERE id >= 10")
    forged = {**rows[9], "operation": "deploy_model", "previous": rows[8]["hash"]}
    put(busy, {**forged, "hash": link(forged)})
    busy.tamper("UPDATE audit SET id = id - 999 WHERE id >= 1000")
    assert first_broken(busy) == 11


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
