from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotAllowed, NotFound
from databits.store.tables import plans, policies

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_a_policy_is_switched_on_and_off_and_can_be_undone(desk: "Desk") -> None:
    before = desk.state()
    made = desk("set_policy", kind="four_eyes", subject="deploy_model")
    assert [(p.kind, p.subject) for p in made.in_force] == [("four_eyes", "deploy_model")]
    assert desk("set_policy", kind="four_eyes", subject="deploy_model").change_id == 0
    off = desk("set_policy", kind="four_eyes", subject="deploy_model", on=False)
    assert off.in_force == []
    desk("undo_change", change=off.change_id)
    assert len(desk.rows(policies)) == 1
    desk("set_policy", kind="four_eyes", subject="deploy_model", on=False)
    assert desk.state() == before


def test_a_subject_must_be_one(desk: "Desk") -> None:
    with pytest.raises(NotFound, match="operation"):
        desk("set_policy", kind="four_eyes", subject="deploy_everything")
    with pytest.raises(Invalid, match="no plans"):
        desk("set_policy", kind="four_eyes", subject="list_items")
    with pytest.raises(NotFound, match="Databits"):
        desk("set_policy", kind="separation", subject="support")
    assert desk.rows(policies) == []


def test_software_and_reviewers_switch_nothing_not_even_by_undoing(desk: "Desk") -> None:
    made = desk("set_policy", kind="four_eyes")
    agent, rita = desk.as_("ana", "admin", person=False), desk.as_("rita", "reviewer")
    with pytest.raises(NotAllowed, match="for people"):
        agent("set_policy", kind="four_eyes", on=False)
    with pytest.raises(NotAllowed, match="for people"):
        agent("undo_change", change=made.change_id)
    with pytest.raises(NotAllowed, match="admin"):
        rita("undo_change", change=made.change_id)
    off = desk("undo_change", change=made.change_id)
    for actor in (agent, rita):
        with pytest.raises(NotAllowed):
            actor("undo_change", change=off.change_id)
    assert desk.rows(policies) == []


def test_what_its_author_approved_waits_again_once_four_eyes_are_asked_for(
    suggested: "Desk",
) -> None:
    said = {"databit": "support", "min_confidence": 0.6}
    plan = suggested.workbench.propose("bulk_label", said, suggested.actor)
    suggested("decide_approval", plan=plan.id, approve=True)
    suggested("set_policy", kind="four_eyes")
    (row,) = suggested.rows(plans)
    assert (row["state"], row["decided_by"]) == ("pending", None)
    with pytest.raises(NotAllowed, match="four eyes"):
        suggested("bulk_label", **said)
