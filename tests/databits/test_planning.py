"""An approval is good for one plan: this call, this state, this once, in time."""

import contextlib
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databits.change import Call
from databits.errors import Conflict, DatabitsError
from databits.model import Plan, Planned, Run
from databits.operation import CATALOGUE
from databits.platforms.embedded.jobs import work
from databits.store import Store
from databits.store.shapes import now
from databits.store.tables import audit, plans

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

pytestmark = pytest.mark.both_databases

LABEL = {"databit": "support", "verdict": "label", "to": "login"}
CALLS = (
    LABEL,
    {**LABEL, "to": "billing"},
    {**LABEL, "contains": "login"},
    {"databit": "support", "verdict": "reject"},
    {"databit": "support", "verdict": "reject", "contains": "invoice"},
)


def propose(desk: "Desk", arguments: dict[str, Any], who: str = "ana") -> Plan:
    asker = desk.as_(who, "reviewer", person=False)
    return desk.workbench.propose("bulk_label", arguments, asker.actor)


def set_plan(desk: "Desk", plan: int, **values: Any) -> None:
    desk.workbench.database.write(lambda store: store.plans.set(plan, **values))


def states(desk: "Desk") -> dict[int, str]:
    return {row["id"]: row["state"] for row in desk.rows(plans)}


# --- one plan, one time ---------------------------------------------------------------------------


def test_an_approved_plan_is_carried_out_once_however_many_try(queued: "Desk") -> None:
    plan = propose(queued, LABEL)
    queued("decide_approval", plan=plan.id, approve=True)
    start = threading.Barrier(8)

    def carry_out(n: int) -> str:
        start.wait()
        try:
            if n % 2:
                return type(queued.workbench.carry_out(plan.id)).__name__
            return type(queued.workbench.run("bulk_label", LABEL, queued.actor)).__name__
        except DatabitsError as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(carry_out, range(8)))
    assert outcomes.count("BulkLabelled") == 1, outcomes
    assert states(queued)[plan.id] == "executed"
    assert queued.outcomes("bulk_label").count("ok") == 1


def test_carrying_out_takes_the_approval_of_this_very_plan(queued: "Desk") -> None:
    first, second = propose(queued, CALLS[0]), propose(queued, CALLS[1])
    queued("decide_approval", plan=second.id, approve=True)
    with pytest.raises(Conflict, match=f"Plan {first.id} is pending"):
        queued.workbench.carry_out(first.id)
    assert queued("queue_status", databit="support").approved == 0


# --- expiry ---------------------------------------------------------------------------------------


def test_an_expired_approval_is_refused_and_says_when_it_ended(queued: "Desk") -> None:
    plan = propose(queued, LABEL)
    queued("decide_approval", plan=plan.id, approve=True)
    set_plan(queued, plan.id, state="approved", expires_at=now() - 1)
    with pytest.raises(Conflict, match=r"is expired;.* It was open until 2.*makes a new plan"):
        queued.workbench.carry_out(plan.id)
    assert isinstance(queued.workbench.run("bulk_label", LABEL, queued.actor), Planned)
    assert states(queued) == {plan.id: "expired", plan.id + 1: "pending"}
    with pytest.raises(Conflict, match=f"Plan {plan.id + 1} was made from the present state"):
        queued.workbench.carry_out(plan.id)
    assert queued("queue_status", databit="support").approved == 0


def test_a_run_of_the_clock_is_noticed_by_the_next_plan(queued: "Desk") -> None:
    old = propose(queued, CALLS[3])
    set_plan(queued, old.id, state="pending", expires_at=now() - 1)
    assert queued("list_approvals", state="expired").total == 1
    propose(queued, CALLS[4])
    assert states(queued)[old.id] == "expired"
    assert queued("list_approvals", state="expired").total == 1


# --- a state that moved on ------------------------------------------------------------------------


def test_a_stale_plan_is_made_again_for_who_asked(queued: "Desk") -> None:
    plan = propose(queued, LABEL, "rita")
    queued("skip_items", databit="support", items=[1])
    with pytest.raises(Conflict, match=f"Plan {plan.id + 1} was made from the present state"):
        queued("decide_approval", plan=plan.id, approve=True, digest=plan.digest)
    new = queued("list_approvals").rows[0]
    assert (new.id, new.asked_by, new.count) == (plan.id + 1, "rita", 17)
    assert new.digest != plan.digest
    queued("decide_approval", plan=new.id, approve=True, digest=new.digest)
    queued.workbench.carry_out(new.id)
    assert states(queued) == {plan.id: "stale", new.id: "executed"}


def test_an_approval_that_went_stale_stays_dead_when_the_state_returns(queued: "Desk") -> None:
    plan = propose(queued, LABEL)
    queued("decide_approval", plan=plan.id, approve=True)
    skipped = queued("skip_items", databit="support", items=[1])
    with pytest.raises(Conflict, match="stale"):
        queued.workbench.carry_out(plan.id)
    queued("undo_change", change=skipped.change_id)
    again = queued.workbench.run("bulk_label", LABEL, queued.actor)
    assert isinstance(again, Planned)
    assert again.plan.digest == plan.digest
    assert again.plan.id != plan.id
    assert queued("queue_status", databit="support").approved == 0


def test_where_nothing_is_left_to_plan_the_refusal_says_to_ask_again(queued: "Desk") -> None:
    only = {**LABEL, "contains": "parcel"}
    plan = propose(queued, only)
    queued("skip_items", databit="support", items=[13])
    with pytest.raises(Conflict, match="makes a new plan"):
        queued("decide_approval", plan=plan.id, approve=True)
    assert states(queued) == {plan.id: "stale"}


def test_a_refusal_over_a_plan_is_on_record(queued: "Desk") -> None:
    plan = propose(queued, LABEL)
    queued("skip_items", databit="support", items=[1])
    with pytest.raises(Conflict):
        queued("decide_approval", plan=plan.id, approve=True)
    assert queued.outcomes("decide_approval") == ["failed"]
    planned = [row for row in queued.rows(audit) if row["outcome"] == "planned"]
    told = {row["plan_id"]: row["detail"] for row in planned}
    digests = {row["id"]: f"plan digest {row['digest']}" for row in queued.rows(plans)}
    assert told == digests
    assert queued("verify_audit").intact


# --- whatever is altered --------------------------------------------------------------------------

moves = st.sampled_from(["nothing", "skip", "correct", "claim"])
call = st.integers(0, len(CALLS) - 1)


def move(desk: "Desk", how: str) -> None:
    """Something that happens meanwhile; the second time, what is done already is refused."""
    with contextlib.suppress(DatabitsError):
        if how == "skip":
            desk("skip_items", databit="support", items=[16])
        elif how == "correct":
            desk("correct_labels", databit="support", items=[2], label="shipping")
        elif how == "claim":
            desk("claim_items", databit="support", count=1)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(asked=call, done=call, before=moves, after=moves, expired=st.booleans(), other=st.booleans())
def test_an_approval_executes_its_own_plan_or_nothing(
    open_desk: "MakeDesk",
    tickets_csv: Path,
    asked: int,
    done: int,
    before: str,
    after: str,
    expired: bool,
    other: bool,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        desk = open_desk(Path(name) / "home")
        desk("import_files", path=str(tickets_csv))
        desk("create_databit", name="support", labels=["billing", "login", "shipping"])
        desk("queue_items", databit="support", source="tickets")
        plan = propose(desk, CALLS[asked])
        move(desk, before)
        approved = True
        try:
            desk("decide_approval", plan=plan.id, approve=True, digest=plan.digest)
        except Conflict:
            approved = False
        move(desk, after)
        if expired and approved:
            set_plan(desk, plan.id, state="approved", expires_at=now() - 1)
        asker = replace(desk.actor, name="eve" if other else "ana", person=False)
        state = desk.state()
        now_fits = _fits(desk, plan, CALLS[asked])
        try:
            outcome: Any = desk.workbench.run("bulk_label", CALLS[done], asker)
        except DatabitsError:
            outcome = None
        ran = outcome is not None and not isinstance(outcome, Planned)
        allowed = approved and now_fits and asked == done and not expired and not other
        assert ran == allowed
        assert ran or desk.state() == state
        if not ran and not (approved and now_fits and not expired):
            with pytest.raises(Conflict):
                desk.workbench.carry_out(plan.id)
            assert desk.state() == state
        assert desk("verify_audit").intact
        desk.workbench.database.close()


def _fits(desk: "Desk", plan: Plan, arguments: dict[str, Any]) -> bool:
    """Whether the plan would be the same if it were made now; asks as nobody's business."""
    op = CATALOGUE["bulk_label"]
    made = Call(desk.workbench, op, op.parse(arguments), desk.actor)
    try:
        return desk.workbench.database.read(made.preview)[1] == plan.digest
    except DatabitsError:
        return False


def test_the_approval_and_the_execution_are_on_record_with_the_digest(queued: "Desk") -> None:
    plan = propose(queued, LABEL)
    queued("decide_approval", plan=plan.id, approve=True)
    queued.workbench.carry_out(plan.id)
    mine = [row for row in queued.rows(audit) if row["plan_id"] == plan.id]
    assert [(row["operation"], row["outcome"], row["detail"]) for row in mine] == [
        ("bulk_label", "planned", f"plan digest {plan.digest}"),
        ("decide_approval", "ok", f"plan digest {plan.digest}"),
        ("bulk_label", "ok", f"plan digest {plan.digest}"),
    ]


def test_a_run_whose_plan_went_stale_in_the_queue_names_the_new_plan(labelled: "Desk") -> None:
    labelled("assemble_dataset", databit="support")
    asked = {"dataset": "support"}
    plan = labelled.workbench.propose("launch_fine_tune", asked, labelled.actor)
    labelled("decide_approval", plan=plan.id, approve=True)
    run = labelled.workbench.carry_out(plan.id)
    assert isinstance(run, Run)

    rows = [(n, "billing" if n <= 6 else "login", "train") for n in range(1, 13)]

    def newer(store: Store) -> None:
        store.tx.begin_change("assemble_dataset", "ana", "test")
        row = store.datasets.raw("support@1")
        store.datasets.add(
            row.databit_id, row.databit_version_id, row.recipe, row.summary, "0", rows
        )
        store.tx.end_change()

    labelled.workbench.database.write(newer)
    work(labelled.workbench, idle_seconds=0)
    ended = labelled.workbench.database.read(lambda store: store.runs.get(run.id))
    assert ended.state == "failed"
    assert ended.error is not None
    assert f"Plan {plan.id + 1} was made from the present state" in ended.error
