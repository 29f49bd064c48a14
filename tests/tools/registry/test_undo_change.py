from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.store.shapes import Decision
from databits.store.tables import change_rows, changes

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_an_undo_is_a_change_and_can_be_undone(queued: "Desk") -> None:
    before = queued.state()
    made = queued("correct_labels", databit="support", items=[1, 2], label="billing")
    after = queued.state()
    undone = queued("undo_change", change=made.change_id)
    assert (undone.undone, undone.operation, undone.rows) == (made.change_id, "correct_labels", 4)
    assert queued.state() == before
    redone = queued("undo_change", change=undone.change_id)
    assert queued.state() == after
    queued("undo_change", change=redone.change_id)
    assert queued.state() == before


def test_undoing_twice_is_refused(queued: "Desk") -> None:
    made = queued("skip_items", databit="support", items=[1])
    queued("undo_change", change=made.change_id)
    before = queued.state()
    with pytest.raises(Conflict, match="undone already"):
        queued("undo_change", change=made.change_id)
    assert queued.state() == before


def test_later_work_on_the_same_rows_is_named(queued: "Desk") -> None:
    first = queued("correct_labels", databit="support", items=[1], label="billing")
    later = queued("correct_labels", databit="support", items=[1], label="login")
    before = queued.state()
    with pytest.raises(Conflict, match=rf"change {later.change_id} \(correct_labels by ana\)"):
        queued("undo_change", change=first.change_id)
    assert queued.state() == before
    queued("undo_change", change=later.change_id)
    queued("undo_change", change=first.change_id)


def test_work_on_other_rows_does_not_stand_in_the_way(queued: "Desk") -> None:
    first = queued("correct_labels", databit="support", items=[1], label="billing")
    queued("correct_labels", databit="support", items=[2], label="login")
    queued("undo_change", change=first.change_id)
    states = [i.state for i in queued("list_items", databit="support").rows[:2]]
    assert states == ["open", "approved"]


def test_the_state_of_a_change_tells_whether_it_stands(queued: "Desk") -> None:
    made = queued("skip_items", databit="support", items=[1])
    undone = queued("undo_change", change=made.change_id)
    row = {r["id"]: r for r in queued.rows(changes)}
    assert (row[made.change_id]["state"], row[undone.change_id]["state"]) == ("undone", "applied")
    assert row[undone.change_id]["undo_of"] == made.change_id


def test_a_labeler_undoes_their_own_changes_only(queued: "Desk") -> None:
    lena, lars = queued.as_("lena", "labeler"), queued.as_("lars", "labeler")
    made = lena("skip_items", databit="support", items=[1])
    with pytest.raises(NotAllowed, match="reviewer"):
        lars("undo_change", change=made.change_id)
    lena("undo_change", change=made.change_id)


def test_it_takes_the_role_of_the_operation_that_is_undone(queued: "Desk") -> None:
    before = queued.state()
    with pytest.raises(NotAllowed, match="engineer"):
        queued.as_("ana", "reviewer")("undo_change", change=1)
    assert queued.state() == before
    assert queued.outcomes("undo_change") == ["refused"]


def test_an_unknown_change_says_where_the_changes_are(desk: "Desk") -> None:
    with pytest.raises(NotFound, match="list_changes"):
        desk("undo_change", change=7)


def test_what_rests_on_a_change_is_named_with_who_made_it(labelled: "Desk") -> None:
    labelled("assemble_dataset", databit="support")
    made = {row.operation: row.id for row in labelled("list_changes").rows}
    with pytest.raises(Conflict) as refused:
        labelled("undo_change", change=made["queue_items"])
    assert "change" in str(refused.value)
    with pytest.raises(Conflict) as refused:
        labelled("undo_change", change=made["import_files"])
    assert (
        f"18 items (item 1, item 2, item 3, …) (change {made['queue_items']}, queue_items by ana)"
        " rest on it." in str(refused.value)
    )


def test_a_dataset_that_holds_an_item_is_named(queued: "Desk") -> None:
    def write(store: Any) -> None:
        store.tx.begin_change("correct_labels", "ana", "test")
        made = [Decision(n, "approved", "billing" if n % 2 else "login") for n in range(1, 19)]
        store.items.decide(made, "correct", "ana", "test", "")
        store.tx.end_change()
        # As if the decisions had been part of queueing: nothing later touched the items themselves.
        store.tx.db.execute(
            change_rows.update().values(change_id=3).where(change_rows.c.change_id == 4)
        )
        store.tx.db.execute(changes.delete().where(changes.c.id == 4))

    queued.workbench.database.write(write)
    queued("assemble_dataset", databit="support")
    with pytest.raises(Conflict) as refused:
        queued("undo_change", change=3)
    newest = queued("list_changes").rows[0].id
    assert str(refused.value) == (
        f"Change 3 can not be undone: dataset support@1 (change {newest}, assemble_dataset by ana) rest on it."
    )
