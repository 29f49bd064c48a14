"""Two policies: who asked does not approve, and who labelled does not approve."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import Conflict, NotAllowed, NotReady
from databits.store.tables import items, plans

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


@pytest.fixture
def ready(queued: "Desk") -> "Desk":
    """`queued` with a suggestion for items 1 to 6, all billing."""

    def write(store: Any) -> None:
        store.tx.begin_change("prelabel_items", "engine", "test")
        store.items.suggest([(i, "billing", 0.9, "because") for i in range(1, 7)], "engine", None)
        store.tx.end_change()

    queued.workbench.database.write(write)
    return queued


def state(desk: "Desk", item: int) -> str:
    return str(next(row["state"] for row in desk.rows(items) if row["id"] == item))


# four eyes ----------------------------------------------------------------------------------------


def test_who_asked_for_a_plan_rejects_it_but_does_not_approve_it(ready: "Desk") -> None:
    ready("set_policy", kind="four_eyes", subject="bulk_label")
    rita, ben = ready.as_("rita", "reviewer"), ready.as_("ben", "reviewer")
    plan = ready.workbench.propose("bulk_label", {"databit": "support"}, rita.actor).id
    before = ready.state()
    for spelled in ("rita", "Rita"):
        with pytest.raises(NotAllowed, match="somebody else approves"):
            ready.as_(spelled, "reviewer")("decide_approval", plan=plan, approve=True)
    with pytest.raises(Conflict):
        ready.workbench.carry_out(plan)
    assert ready.state() == before
    ben("decide_approval", plan=plan, approve=True)
    ready.workbench.carry_out(plan)
    assert state(ready, 1) == "approved"
    again = ready.workbench.propose(
        "bulk_label", {"databit": "support", "verdict": "reject"}, rita.actor
    )
    assert rita("decide_approval", plan=again.id, approve=False).state == "rejected"


def test_another_operation_and_a_policy_that_is_off_ask_for_nobody_else(ready: "Desk") -> None:
    ready("set_policy", kind="four_eyes", subject="deploy_model")
    ready("bulk_label", databit="support")
    ready("set_policy", kind="four_eyes")
    with pytest.raises(NotAllowed, match="four eyes"):
        ready("bulk_label", databit="support", verdict="reject")
    ready("set_policy", kind="four_eyes", on=False)
    ready("bulk_label", databit="support", verdict="reject")


def test_yes_on_the_command_line_is_no_second_person(
    ready: "Desk", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ui.cli import main

    monkeypatch.setattr("ui.commands.opened", lambda _: nullcontext(ready.workbench))
    monkeypatch.setenv("DATABITS_USER", "ana")
    monkeypatch.chdir(Path(ready.workbench.settings.home))
    ready("set_policy", kind="four_eyes")
    before = ready.state()
    assert main(["bulk_label", "--databit", "support", "--yes"]) == 1
    assert "four eyes" in capsys.readouterr().err
    plan = ready.rows(plans)[-1]
    assert plan["state"] == "pending"
    assert main(["approve", str(plan["id"])]) == 1
    assert ready.state() == before
    monkeypatch.setenv("DATABITS_USER", "ben")
    assert main(["approve", str(plan["id"])]) == 0
    assert state(ready, 1) == "approved"


# separation ---------------------------------------------------------------------------------------


def test_who_labelled_an_item_does_not_approve_it(ready: "Desk") -> None:
    ready("set_policy", kind="separation", subject="support")
    rita, ben = ready.as_("rita", "reviewer"), ready.as_("ben", "reviewer")
    rita("correct_labels", databit="support", items=[1], label="login")
    assert state(ready, 1) == "labeled"
    done = rita("approve_labels", databit="support", items=[1, 2])
    assert (done.decided, done.skipped) == ([2], {1: "you labelled it; somebody else approves it"})
    with pytest.raises(Conflict, match="somebody else approves"):
        rita("approve_labels", databit="support", items=[1])
    assert ben("approve_labels", databit="support", items=[1]).decided == [1]
    assert state(ready, 1) == "approved"


def test_a_reviewer_who_relabels_what_was_approved_makes_it_wait_again(ready: "Desk") -> None:
    ready("set_policy", kind="separation")
    ready.as_("ben", "reviewer")("approve_labels", databit="support", items=[1])
    ready.as_("rita", "reviewer")("correct_labels", databit="support", items=[1], label="login")
    assert state(ready, 1) == "labeled"


def test_an_undone_label_stands_in_nobodys_way(ready: "Desk") -> None:
    ready("set_policy", kind="separation")
    rita = ready.as_("rita", "reviewer")
    made = rita("correct_labels", databit="support", items=[1], label="login")
    rita("undo_change", change=made.change_id)
    assert rita("approve_labels", databit="support", items=[1]).decided == [1]


def test_bulk_labels_wait_for_somebody_else_and_bulk_approval_leaves_ones_own_out(
    ready: "Desk",
) -> None:
    ready("set_policy", kind="separation")
    rita, ben = ready.as_("rita", "reviewer"), ready.as_("ben", "reviewer")
    said = {"databit": "support", "verdict": "label", "to": "login", "contains": "invoice"}
    plan = ready.workbench.propose("bulk_label", said, rita.actor)
    assert "somebody else approves" in plan.summary
    made = rita("bulk_label", **said)
    mine = [row["id"] for row in ready.rows(items) if row["state"] == "labeled"]
    assert len(mine) == made.decided > 1
    with pytest.raises(Conflict, match="somebody else"):
        rita("approve_labels", databit="support", items=mine)
    reopen(ready, mine[:2])
    assert rita("bulk_label", databit="support").decided == 6 - len(mine)
    with pytest.raises(NotReady, match="you labelled it"):
        rita("bulk_label", databit="support")
    assert ben("bulk_label", databit="support").decided == 2


def reopen(desk: "Desk", ids: list[int]) -> None:
    """As items that came back for another look: open, their history behind them."""

    def write(store: Any) -> None:
        store.tx.begin_change("queue_items", "ana", "test")
        store.tx.update(items, {i: {"state": "open", "label": None} for i in ids})
        store.tx.end_change()

    desk.workbench.database.write(write)


def test_without_the_policy_a_reviewer_approves_their_own(ready: "Desk") -> None:
    ready("create_databit", name="urgency", labels=["now", "later"])
    ready("set_policy", kind="separation", subject="urgency")
    rita = ready.as_("rita", "reviewer")
    rita("correct_labels", databit="support", items=[1], label="login")
    assert state(ready, 1) == "approved"
