from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import Conflict, Invalid, NotAllowed, NotFound, NotReady
from databits.model import Planned
from databits.store.tables import items
from tests.tools.conftest import suggest

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def plan_of(desk: "Desk", **arguments: Any) -> Any:
    result = desk.workbench.run("bulk_label", {"databit": "support", **arguments}, desk.actor)
    assert isinstance(result, Planned)
    return result.plan


def test_the_plan_counts_and_shows_what_would_happen_and_does_nothing(suggested: "Desk") -> None:
    before = suggested.state()
    plan = plan_of(suggested, min_confidence=0.55)
    assert plan.count == 8
    assert plan.sample[0].startswith("item 5: billing")
    assert len(plan.sample) == 5
    assert suggested.state() == before


def test_what_a_person_approved_is_done(suggested: "Desk") -> None:
    made = suggested("bulk_label", databit="support", min_confidence=0.55)
    assert made.decided == 8
    approved = [row["id"] for row in suggested.rows(items) if row["state"] == "approved"]
    assert approved == list(range(5, 13))


def test_items_can_be_rejected_and_given_a_label_by_their_text(suggested: "Desk") -> None:
    assert (
        suggested("bulk_label", databit="support", verdict="reject", contains="order").decided == 2
    )
    made = suggested(
        "bulk_label", databit="support", verdict="label", contains="parcel", to="Shipping"
    )
    assert made.decided == 1
    states = {row["id"]: (row["state"], row["label"]) for row in suggested.rows(items)}
    assert states[13] == ("approved", "shipping")
    assert states[16] == states[18] == ("rejected", None)


def test_the_approval_is_for_these_labels_not_only_these_items(suggested: "Desk") -> None:
    # Item 11 is beyond the sample: only the basis of the plan knows of it.
    plan = plan_of(suggested, min_confidence=0.5)
    suggested("decide_approval", plan=plan.id, approve=True)
    suggest(suggested, {11: ("shipping", 0.61)})
    again = plan_of(suggested, min_confidence=0.5)
    assert again.id != plan.id
    assert {row["state"] for row in suggested.rows(items)} == {"open"}


def test_a_plan_whose_items_moved_can_not_be_approved(suggested: "Desk") -> None:
    plan = plan_of(suggested, min_confidence=0.55)
    suggested("approve_labels", databit="support", items=[12])
    with pytest.raises(Conflict, match=f"Plan {plan.id + 1} was made"):
        suggested("decide_approval", plan=plan.id, approve=True)
    assert suggested.rows(items)[4]["state"] == "open"


def test_undo_takes_the_whole_batch_back(suggested: "Desk") -> None:
    before = suggested.state()
    made = suggested("bulk_label", databit="support")
    suggested("undo_change", change=made.change_id)
    assert suggested.state() == before


def test_doing_it_again_finds_nothing_left(suggested: "Desk") -> None:
    suggested("bulk_label", databit="support")
    with pytest.raises(NotReady, match="prelabel_items"):
        suggested("bulk_label", databit="support")


def test_a_filter_that_makes_no_sense_makes_no_plan(suggested: "Desk") -> None:
    with pytest.raises(Invalid, match="billing, login, shipping"):
        suggested("bulk_label", databit="support", label="refund")
    with pytest.raises(Invalid, match="billing, login, shipping"):
        suggested("bulk_label", databit="support", verdict="label")
    with pytest.raises(Invalid, match="verdict=label"):
        suggested("bulk_label", databit="support", verdict="approve", to="login")
    with pytest.raises(Invalid, match="min_confidence"):
        suggested("bulk_label", databit="support", min_confidence=90)
    with pytest.raises(NotFound, match="Databits: support"):
        suggested("bulk_label", databit="other")
    assert suggested("list_approvals").total == 0


def test_it_takes_a_reviewer(suggested: "Desk") -> None:
    with pytest.raises(NotAllowed, match="reviewer"):
        suggested.as_("lena", "labeler")("bulk_label", databit="support")
