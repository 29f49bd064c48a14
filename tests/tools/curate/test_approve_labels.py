from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.store.tables import items, labels

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_a_suggestion_becomes_the_label(suggested: "Desk") -> None:
    made = suggested("approve_labels", databit="support", items=[1, 7])
    assert made.decided == [1, 7]
    found = suggested.rows(items)
    assert [(found[n]["state"], found[n]["label"]) for n in (0, 6)] == [
        ("approved", "billing"),
        ("approved", "login"),
    ]


def test_a_labelers_word_goes_before_the_suggestion(suggested: "Desk") -> None:
    suggested.as_("lena", "labeler")("correct_labels", databit="support", items=[1], label="login")
    suggested("approve_labels", databit="support", items=[1])
    assert suggested.rows(items)[0]["label"] == "login"


def test_what_can_not_be_approved_is_listed_with_the_reason(suggested: "Desk") -> None:
    suggested("approve_labels", databit="support", items=[1])
    held = suggested.as_("lena", "labeler")("claim_items", databit="support").items[0].id
    made = suggested("approve_labels", databit="support", items=[1, held, 18, 5])
    assert made.decided == [5]
    assert set(made.skipped) == {1, held, 18}
    assert "correct_labels" in made.skipped[18]


def test_approving_again_is_refused_and_writes_nothing(suggested: "Desk") -> None:
    suggested("approve_labels", databit="support", items=[1])
    before = suggested.state()
    with pytest.raises(Conflict, match="approved already"):
        suggested("approve_labels", databit="support", items=[1])
    assert suggested.state() == before


def test_undo_puts_the_items_back_in_the_queue(suggested: "Desk") -> None:
    before = suggested.state()
    made = suggested("approve_labels", databit="support", items=[1, 2, 3], reason="clear")
    assert [row["reason"] for row in suggested.rows(labels)] == ["clear"] * 3
    suggested("undo_change", change=made.change_id)
    assert suggested.state() == before


def test_refusals(suggested: "Desk") -> None:
    before = suggested.state()
    with pytest.raises(NotFound, match="no item 99"):
        suggested("approve_labels", databit="support", items=[1, 99])
    with pytest.raises(NotFound, match="Databits: support"):
        suggested("approve_labels", databit="other", items=[1])
    with pytest.raises(NotAllowed, match="reviewer"):
        suggested.as_("lena", "labeler")("approve_labels", databit="support", items=[1])
    assert suggested.state() == before
