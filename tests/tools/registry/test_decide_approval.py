from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.store.tables import audit, items, plans

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


@pytest.fixture
def plan(suggested: "Desk") -> int:
    arguments = {"databit": "support", "min_confidence": 0.6}
    return int(suggested.workbench.run("bulk_label", arguments, suggested.actor).plan.id)


def state(desk: "Desk") -> Any:
    return desk.rows(plans)[0]["state"]


def test_approving_is_on_record_and_carries_nothing_out_itself(
    suggested: "Desk", plan: int
) -> None:
    before = suggested.state()
    made = suggested("decide_approval", plan=plan, approve=True, reason="looks right")
    assert (made.state, made.change_id) == ("approved", 0)
    row = suggested.rows(plans)[0]
    assert (row["state"], row["decided_by"], row["reason"]) == ("approved", "ana", "looks right")
    assert suggested.rows(audit)[-1]["plan_id"] == plan
    assert suggested.state() == before


def test_an_approval_is_good_for_one_call(suggested: "Desk", plan: int) -> None:
    suggested("decide_approval", plan=plan, approve=True)
    suggested.workbench.carry_out(plan)
    assert state(suggested) == "executed"
    with pytest.raises(Conflict, match="executed"):
        suggested.workbench.carry_out(plan)
    decided = [row["id"] for row in suggested.rows(items) if row["state"] == "approved"]
    assert decided == [10, 11, 12]


def test_a_rejected_plan_stays_rejected(suggested: "Desk", plan: int) -> None:
    suggested("decide_approval", plan=plan, approve=False)
    for approve in (True, False):
        with pytest.raises(Conflict, match="rejected"):
            suggested("decide_approval", plan=plan, approve=approve)
    with pytest.raises(Conflict, match="rejected"):
        suggested.workbench.carry_out(plan)
    assert state(suggested) == "rejected"


def test_the_digest_that_was_shown_must_be_the_plans(suggested: "Desk", plan: int) -> None:
    with pytest.raises(Conflict, match="list_approvals"):
        suggested("decide_approval", plan=plan, approve=True, digest="0" * 64)
    assert state(suggested) == "pending"


def test_a_plan_whose_state_moved_on_is_refused_and_made_again(
    suggested: "Desk", plan: int
) -> None:
    suggested("approve_labels", databit="support", items=[12])
    with pytest.raises(Conflict, match=f"Plan {plan + 1} was made from the present state"):
        suggested("decide_approval", plan=plan, approve=True)
    made = {row["id"]: row["state"] for row in suggested.rows(plans)}
    assert made == {plan: "stale", plan + 1: "pending"}
    with pytest.raises(Conflict, match=f"Plan {plan} is stale.*Plan {plan + 1} was made"):
        suggested("decide_approval", plan=plan, approve=False)


def test_software_can_not_approve_whatever_its_role(suggested: "Desk", plan: int) -> None:
    agent = suggested.as_("ana", "admin", person=False)
    with pytest.raises(NotAllowed, match="people"):
        agent("decide_approval", plan=plan, approve=True)
    assert state(suggested) == "pending"
    assert suggested.outcomes("decide_approval") == ["refused"]


def test_it_takes_the_role_that_the_operation_takes(assembled: "Desk") -> None:
    plan = assembled.workbench.propose("launch_fine_tune", {"dataset": "support"}, assembled.actor)
    with pytest.raises(NotAllowed, match="engineer"):
        assembled.as_("rita", "reviewer")("decide_approval", plan=plan.id, approve=True)
    with pytest.raises(NotAllowed, match="reviewer"):
        assembled.as_("lena", "labeler")("decide_approval", plan=plan.id, approve=True)
    assert state(assembled) == "pending"


def test_an_unknown_plan_says_where_the_plans_are(desk: "Desk") -> None:
    with pytest.raises(NotFound, match="list_approvals"):
        desk("decide_approval", plan=7, approve=True)
