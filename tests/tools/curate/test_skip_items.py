from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_a_skipped_item_leaves_the_queue_and_can_be_found(queued: "Desk") -> None:
    lena = queued.as_("lena", "labeler")
    first = lena("claim_items", databit="support").items[0].id
    lena("skip_items", databit="support", items=[first], reason="two languages")
    assert lena("claim_items", databit="support").items[0].id != first
    assert [i.id for i in lena("list_items", databit="support", state="skipped").rows] == [first]


def test_what_is_decided_is_not_skipped(queued: "Desk") -> None:
    queued("correct_labels", databit="support", items=[1], label="billing")
    made = queued("skip_items", databit="support", items=[1, 2])
    assert (made.decided, made.skipped) == ([2], {1: "approved already"})
    with pytest.raises(Conflict, match="skipped already"):
        queued("skip_items", databit="support", items=[2])


def test_undo_brings_the_item_back(queued: "Desk") -> None:
    before = queued.state()
    made = queued("skip_items", databit="support", items=[1, 2])
    queued("undo_change", change=made.change_id)
    assert queued.state() == before


def test_refusals(queued: "Desk") -> None:
    before = queued.state()
    with pytest.raises(NotFound, match="no item 99"):
        queued("skip_items", databit="support", items=[99])
    with pytest.raises(NotAllowed, match="labeler"):
        queued.as_("vera", "viewer")("skip_items", databit="support", items=[1])
    assert queued.state() == before
