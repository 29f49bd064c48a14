from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.store.tables import items

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_a_rejected_item_is_no_training_data(labelled: "Desk") -> None:
    labelled("reject_items", databit="support", items=[1])
    found = labelled.rows(items)[0]
    assert (found["state"], found["label"]) == ("rejected", None)
    assert labelled("assemble_dataset", databit="support")["rows"] == 17


def test_rejecting_again_is_refused(queued: "Desk") -> None:
    queued("reject_items", databit="support", items=[1])
    before = queued.state()
    with pytest.raises(Conflict, match="rejected already"):
        queued("reject_items", databit="support", items=[1])
    assert queued.state() == before


def test_an_item_in_anothers_hands_is_left_out(queued: "Desk") -> None:
    held = queued.as_("lena", "labeler")("claim_items", databit="support").items[0].id
    made = queued("reject_items", databit="support", items=[held, 5])
    assert (made.decided, list(made.skipped)) == ([5], [held])


def test_undo_restores_the_label(labelled: "Desk") -> None:
    before = labelled.state()
    made = labelled("reject_items", databit="support", items=[1, 2], reason="unreadable")
    labelled("undo_change", change=made.change_id)
    assert labelled.state() == before


def test_refusals(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="no item 99"):
        queued("reject_items", databit="support", items=[99])
    with pytest.raises(NotAllowed, match="reviewer"):
        queued.as_("lena", "labeler")("reject_items", databit="support", items=[1])
    assert {row["state"] for row in queued.rows(items)} == {"open"}
