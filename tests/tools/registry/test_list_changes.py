import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_changes_are_listed_newest_first(queued: "Desk") -> None:
    page = queued.as_("vera", "viewer")("list_changes", limit=2)
    assert [c.operation for c in page.rows] == ["queue_items", "create_databit"]
    assert page.total == 3
    rest = queued("list_changes", after=page.next)
    assert [(c.id, c.operation, c.rows) for c in rest.rows] == [(1, "import_files", 19)]


def test_a_filter_narrows_the_list_and_its_total(queued: "Desk") -> None:
    queued.as_("lena", "labeler")("skip_items", databit="support", items=[1])
    page = queued("list_changes", actor="lena")
    assert [(c.operation, c.actor) for c in page.rows] == [("skip_items", "lena")]
    assert page.total == 1
    assert queued("list_changes", operation="import_files").total == 1
    assert queued("list_changes", actor="nobody").total == 0


def listed(desk: "Desk", **wanted: object) -> list[str]:
    page = desk("list_changes", limit=50, **wanted)
    assert page.total == len(page.rows)
    return [row.operation for row in page.rows]


def test_each_change_says_in_words_what_it_touched(labelled: "Desk") -> None:
    labelled("assemble_dataset", databit="support")
    what = {row.operation: row.what for row in labelled("list_changes").rows}
    assert what["import_files"] == "source tickets, 18 records (record 1, record 2, record 3, …)"
    assert what["create_databit"] == "Databit support, version 1.0.0 of support"
    assert what["queue_items"] == "18 items (item 1, item 2, item 3, …)"
    assert what["assemble_dataset"] == "dataset support@1"
    assert what["correct_labels"] == "6 items (item 1, item 2, item 3, …), 6 decisions"


def test_each_change_says_whether_it_can_be_undone_and_else_why_not(labelled: "Desk") -> None:
    first = labelled("correct_labels", databit="support", items=[1], label="login")
    labelled("assemble_dataset", databit="support")
    undone = labelled("correct_labels", databit="support", items=[2], label="login")
    labelled("undo_change", change=undone.change_id)
    rows = {row.id: row for row in labelled("list_changes").rows}
    assert (rows[first.change_id].undoable, rows[first.change_id].blocked) == (True, "")
    assert rows[undone.change_id].undoable is False
    assert "undone already" in rows[undone.change_id].blocked
    for row in rows.values():
        if row.undoable is False:
            with pytest.raises(Conflict) as refused:
                labelled("undo_change", change=row.id)
            assert str(refused.value) == row.blocked


def test_changes_are_found_by_time(queued: "Desk") -> None:
    made = queued("skip_items", databit="support", items=[1]).change_id
    at = queued("list_changes", operation="skip_items").rows[0].at
    assert listed(queued, since=at.isoformat()) == ["skip_items"]
    assert listed(queued, until=at.isoformat()) == ["queue_items", "create_databit", "import_files"]
    naive = at.replace(tzinfo=None).isoformat()
    assert listed(queued, since=naive) == ["skip_items"], "a time without a zone is UTC"
    abroad = at.astimezone(tz=None).isoformat()
    assert listed(queued, since=abroad, until=abroad) == []
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert listed(queued, since=tomorrow) == []
    assert queued("list_changes", since=at.isoformat()).rows[0].id == made
    with pytest.raises(Invalid, match="since"):
        queued("list_changes", since="yesterday, around noon")


def test_changes_are_found_by_state(queued: "Desk") -> None:
    made = queued("skip_items", databit="support", items=[1])
    queued("undo_change", change=made.change_id)
    assert listed(queued, state="undone") == ["skip_items"]
    assert "skip_items" not in listed(queued, state="applied")


def test_changes_are_found_by_the_item_they_touched(queued: "Desk") -> None:
    queued("correct_labels", databit="support", items=[1, 2], label="billing")
    queued("skip_items", databit="support", items=[3])
    assert listed(queued, asset="item:2") == ["correct_labels", "queue_items"]
    assert listed(queued, asset="item:3") == ["skip_items", "queue_items"]
    assert listed(queued, asset="record:3") == ["skip_items", "queue_items", "import_files"]
    assert listed(queued, asset="item:3", operation="skip_items") == ["skip_items"]
    with pytest.raises(NotFound, match="item"):
        queued("list_changes", asset="item:99")


@pytest.mark.parametrize("few", [10_000, 0], ids=["few items", "many items"])
def test_changes_are_found_by_the_databit_and_the_source_they_touched(
    queued: "Desk", monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("databits.store.history._FEW", few)
    queued("create_databit", name="other", labels=["a", "b"])
    queued("queue_items", databit="other", source="tickets")
    queued("skip_items", databit="support", items=[1])
    queued("skip_items", databit="other", items=[19])
    assert listed(queued, asset="databit:other") == ["skip_items", "queue_items", "create_databit"]
    assert listed(queued, asset="databit:support") == [
        "skip_items",
        "queue_items",
        "create_databit",
    ]
    assert listed(queued, asset="source:tickets") == ["import_files"]
    page = queued("list_changes", asset="databit:support", limit=2)
    rest = queued("list_changes", asset="databit:support", limit=2, after=page.next)
    assert [row.operation for row in page.rows + rest.rows] == listed(
        queued, asset="databit:support"
    )


def test_changes_are_found_by_the_dataset_they_touched(labelled: "Desk") -> None:
    labelled("assemble_dataset", databit="support")
    assert listed(labelled, asset="dataset:support@1") == ["assemble_dataset"]


def test_a_large_change_is_not_tried_out_in_a_list(queued: "Desk", tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("text\n" + "\n".join(f"text {n}" for n in range(6000)), encoding="utf-8")
    queued("import_files", path=str(path))
    newest = queued("list_changes").rows[0]
    assert (newest.rows, newest.undoable, newest.blocked) == (6001, None, "")
    assert re.fullmatch(r"source many, 6,000 records \(record \d+, record \d+, .*…\)", newest.what)
