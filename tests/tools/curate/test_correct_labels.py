from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, Invalid, NotAllowed, NotFound
from databits.store.tables import items, labels

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_by_a_reviewer_it_counts_at_once(queued: "Desk") -> None:
    made = queued("correct_labels", databit="support", items=[1, 2], label="BILLING ")
    assert made.decided == [1, 2]
    first = queued.rows(items)[0]
    assert (first["state"], first["label"], first["decided_by"]) == ("approved", "billing", "ana")


def test_by_a_labeler_it_waits_for_approval(queued: "Desk") -> None:
    queued.as_("lena", "labeler")("correct_labels", databit="support", items=[1], label="billing")
    assert queued.rows(items)[0]["state"] == "labeled"


def test_a_labeler_may_change_their_own_mind_and_nobody_elses(queued: "Desk") -> None:
    lena, lars = queued.as_("lena", "labeler"), queued.as_("lars", "labeler")
    lena("correct_labels", databit="support", items=[1], label="billing")
    lena("correct_labels", databit="support", items=[1], label="login")
    before = queued.state()
    with pytest.raises(NotAllowed, match="reviewer"):
        lars("correct_labels", databit="support", items=[2, 1], label="shipping")
    assert queued.state() == before


def test_an_item_in_anothers_hands_is_left_out(queued: "Desk") -> None:
    held = queued.as_("lena", "labeler")("claim_items", databit="support").items[0].id
    other = 2 if held != 2 else 3
    made = queued("correct_labels", databit="support", items=[held, other], label="billing")
    assert made.decided == [other]
    assert list(made.skipped) == [held]
    with pytest.raises(Conflict, match="claimed"):
        queued("correct_labels", databit="support", items=[held], label="billing")


def test_deciding_ends_the_claim(queued: "Desk") -> None:
    held = queued("claim_items", databit="support").items[0].id
    queued("correct_labels", databit="support", items=[held], label="billing")
    assert queued.rows(items)[held - 1]["held_by"] is None


def test_an_id_given_twice_is_decided_once(queued: "Desk") -> None:
    queued("correct_labels", databit="support", items=[1, 1, 1], label="billing")
    assert len(queued.rows(labels)) == 1


def test_doing_it_again_leaves_the_items_as_they_are(queued: "Desk") -> None:
    queued("correct_labels", databit="support", items=[1], label="billing")
    queued("correct_labels", databit="support", items=[1], label="billing")
    first = queued.rows(items)[0]
    assert (first["state"], first["label"]) == ("approved", "billing")


def test_undo_restores_what_was_there_before(suggested: "Desk") -> None:
    suggested("correct_labels", databit="support", items=[1, 2, 3], label="login")
    before = suggested.state()
    made = suggested("correct_labels", databit="support", items=[2, 3, 4], label="shipping")
    suggested("undo_change", change=made.change_id)
    assert suggested.state() == before


def test_one_wrong_item_or_label_and_nothing_is_written(queued: "Desk") -> None:
    before = queued.state()
    with pytest.raises(Invalid, match="billing, login, shipping"):
        queued("correct_labels", databit="support", items=[1], label="refund")
    with pytest.raises(NotFound, match="no item 98, 99"):
        queued("correct_labels", databit="support", items=[1, 98, 99], label="billing")
    with pytest.raises(NotFound, match="Databits: support"):
        queued("correct_labels", databit="other", items=[1], label="billing")
    with pytest.raises(Invalid, match="items"):
        queued("correct_labels", databit="support", items=[], label="billing")
    with pytest.raises(Invalid, match="items"):
        queued("correct_labels", databit="support", items=list(range(1, 502)), label="billing")
    assert queued.state() == before


def test_an_item_of_another_databit_is_not_found(queued: "Desk") -> None:
    queued("create_databit", name="urgency", labels=["now", "later"])
    with pytest.raises(NotFound, match="urgency has no item 1"):
        queued("correct_labels", databit="urgency", items=[1], label="now")


def test_it_takes_a_labeler(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="labeler"):
        queued.as_("vera", "viewer")("correct_labels", databit="support", items=[1], label="login")
