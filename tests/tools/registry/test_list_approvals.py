from typing import TYPE_CHECKING, Any

import pytest

from databits.store.shapes import now

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def ask(desk: "Desk", verdict: str) -> Any:
    arguments = {"databit": "support", "verdict": verdict}
    return desk.workbench.run("bulk_label", arguments, desk.actor).plan


def test_plans_that_wait_are_listed_newest_first(suggested: "Desk") -> None:
    first, second = ask(suggested, "approve"), ask(suggested, "reject")
    page = suggested.as_("vera", "viewer")("list_approvals")
    assert [plan.id for plan in page.rows] == [second.id, first.id]
    assert page.rows[1].summary == first.summary
    assert page.total == 2


def test_a_decided_plan_is_in_the_list_of_its_state(suggested: "Desk") -> None:
    approved, rejected = ask(suggested, "approve"), ask(suggested, "reject")
    suggested("decide_approval", plan=approved.id, approve=True)
    suggested("decide_approval", plan=rejected.id, approve=False)
    for state, plan in (("approved", approved), ("rejected", rejected)):
        page = suggested("list_approvals", state=state)
        assert [(p.id, p.decided_by) for p in page.rows] == [(plan.id, "ana")]
        assert page.total == 1
    assert suggested("list_approvals").total == 0
    assert suggested("list_approvals", state=None).total == 2


def test_a_plan_past_its_time_is_listed_as_expired(suggested: "Desk") -> None:
    plan = ask(suggested, "approve")

    def pass_by(store: Any) -> None:
        store.plans.set(plan.id, "pending", expires_at=now() - 1)

    suggested.workbench.database.write(pass_by)
    assert suggested("list_approvals").total == 0
    expired = suggested("list_approvals", state="expired")
    assert [(p.id, p.state) for p in expired.rows] == [(plan.id, "expired")]
    assert expired.total == 1
