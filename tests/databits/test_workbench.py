"""The one way to run an operation: role, arguments, plan, approval, change, audit, run."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from databits.actor import Actor
from databits.change import Call, Work
from databits.errors import Conflict, DatabitsError, Invalid, NotAllowed, NotFound
from databits.heartbeat import LEASE_US
from databits.model import Planned, Run
from databits.operation import CATALOGUE
from databits.platforms.embedded import Embedded
from databits.platforms.embedded.jobs import work
from databits.settings import Settings
from databits.store.shapes import now
from databits.store.tables import audit, datasets, items, models, plans, runs

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases

REJECT = {"databit": "support", "verdict": "reject", "contains": "parcel"}


@pytest.fixture
def agent(queued: "Desk") -> "Actor":
    """Software that acts for ana."""
    return queued.as_("ana", "admin", person=False).actor


def plan_of(desk: "Desk", actor: "Actor", arguments: dict[str, Any] = REJECT) -> Any:
    result = desk.workbench.run("bulk_label", arguments, actor)
    assert isinstance(result, Planned)
    return result.plan


def rejected(desk: "Desk") -> list[int]:
    return [row["id"] for row in desk.rows(items) if row["state"] == "rejected"]


# --- roles and arguments --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["import_files", "create_databit", "skip_items", "search_audit"])
def test_who_lacks_the_role_is_refused_and_that_is_on_record(queued: "Desk", name: str) -> None:
    before = queued.state()
    with pytest.raises(NotAllowed, match=CATALOGUE[name].role):
        queued.workbench.run(name, {}, queued.as_("vera", "viewer").actor)
    last = queued.rows(audit)[-1]
    assert (last["actor"], last["operation"], last["outcome"]) == ("vera", name, "refused")
    assert queued.state() == before


def test_an_unknown_operation_is_answered_with_the_nearest(desk: "Desk") -> None:
    with pytest.raises(NotFound, match="import_files"):
        desk("import_file", path="x")


@pytest.mark.parametrize("extra", ["confirm", "approved", "force", "actor", "role", "person"])
def test_no_argument_can_stand_for_an_approval(queued: "Desk", agent: "Actor", extra: str) -> None:
    before = queued.state()
    with pytest.raises(Invalid, match=extra):
        queued.workbench.run("bulk_label", {**REJECT, extra: True}, agent)
    assert queued.state() == before
    assert queued.rows(plans) == []


def test_wrong_arguments_are_named_without_their_values(queued: "Desk") -> None:
    with pytest.raises(Invalid) as refused:
        queued("correct_labels", databit="support", items=["a secret"], label=7)
    assert "items" in str(refused.value)
    assert "label" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_item", {"item": 10**30}),
        ("get_records", {"after": 2**63}),
        ("undo_change", {"change": 10**30}),
        ("skip_items", {"databit": "support", "items": [10**30]}),
        ("get_dataset", {"dataset": f"support@{10**30}"}),
    ],
)
def test_a_number_beyond_all_ids_is_a_refusal_and_no_crash(
    queued: "Desk", name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(DatabitsError):
        queued.workbench.run(name, arguments, queued.actor)


# --- plans ----------------------------------------------------------------------------------------


def test_a_consequential_call_by_software_makes_a_plan_and_changes_nothing(
    queued: "Desk", agent: "Actor"
) -> None:
    before = queued.state()
    plan = plan_of(queued, agent)
    assert (plan.state, plan.asked_by, plan.count) == ("pending", "ana", 1)
    assert queued.state() == before
    assert queued.outcomes("bulk_label") == ["planned"]


def test_asking_again_while_nothing_moved_gives_the_same_plan(
    queued: "Desk", agent: "Actor"
) -> None:
    first = plan_of(queued, agent)
    assert plan_of(queued, agent).id == first.id
    assert queued.workbench.propose("bulk_label", REJECT, agent).id == first.id
    assert len(queued.rows(plans)) == 1


def test_software_can_not_approve_its_own_plan(queued: "Desk", agent: "Actor") -> None:
    plan = plan_of(queued, agent)
    with pytest.raises(NotAllowed, match="people"):
        queued.workbench.run("decide_approval", {"plan": plan.id, "approve": True}, agent)
    assert isinstance(queued.workbench.run("bulk_label", REJECT, agent), Planned)
    assert rejected(queued) == []


def test_after_a_persons_approval_the_same_call_goes_through_once(
    queued: "Desk", agent: "Actor"
) -> None:
    plan = plan_of(queued, agent)
    queued("decide_approval", plan=plan.id, approve=True, digest=plan.digest)
    done = queued.workbench.run("bulk_label", REJECT, agent)
    assert done.change_id
    assert rejected(queued) == [13]
    last = queued.rows(audit)[-1]
    assert (last["change_id"], last["plan_id"], last["actor"]) == (done.change_id, plan.id, "ana")
    queued("undo_change", change=done.change_id)
    assert plan_of(queued, agent).id != plan.id, "an approval is good for one call"


def test_other_arguments_are_another_plan(queued: "Desk", agent: "Actor") -> None:
    plan = plan_of(queued, agent)
    queued("decide_approval", plan=plan.id, approve=True)
    other = plan_of(queued, agent, {"databit": "support", "verdict": "reject"})
    assert other.id != plan.id
    assert rejected(queued) == []


def test_a_plan_is_of_who_asked_for_it(queued: "Desk", agent: "Actor") -> None:
    plan = plan_of(queued, agent)
    queued("decide_approval", plan=plan.id, approve=True)
    other = plan_of(queued, queued.as_("rita", "reviewer", person=False).actor)
    assert other.id != plan.id
    assert rejected(queued) == []


def test_when_the_state_moves_before_the_approval_it_is_refused(
    queued: "Desk", agent: "Actor"
) -> None:
    plan = plan_of(queued, agent)
    queued("skip_items", databit="support", items=[13])
    with pytest.raises(Conflict, match="new plan"):
        queued("decide_approval", plan=plan.id, approve=True)
    assert rejected(queued) == []


def test_when_the_state_moves_after_the_approval_a_new_plan_is_made(
    queued: "Desk", agent: "Actor"
) -> None:
    everything = {"databit": "support", "verdict": "reject"}
    plan = plan_of(queued, agent, everything)
    queued("decide_approval", plan=plan.id, approve=True)
    queued("skip_items", databit="support", items=[1])
    again = plan_of(queued, agent, everything)
    assert (again.id != plan.id, again.count) == (True, 17)
    with pytest.raises(Conflict, match=f"stale.*Plan {again.id} was made"):
        queued.workbench.carry_out(plan.id)
    assert rejected(queued) == []


def test_a_plan_expires(queued: "Desk", agent: "Actor") -> None:
    plan = plan_of(queued, agent)

    def age(store: Any) -> None:
        store.plans.set(plan.id, store.plans.raw(plan.id).state, expires_at=now() - 1)

    queued.workbench.database.write(age)
    with pytest.raises(Conflict, match="expired"):
        queued("decide_approval", plan=plan.id, approve=True)
    second = plan_of(queued, agent)
    assert second.id != plan.id
    queued("decide_approval", plan=second.id, approve=True)
    plan = second
    queued.workbench.database.write(age)
    assert plan_of(queued, agent).id not in (1, second.id), "an approval expires too"
    assert rejected(queued) == []


def test_carry_out_does_it_for_who_asked(queued: "Desk") -> None:
    rita = queued.as_("rita", "reviewer", person=False).actor
    plan = plan_of(queued, rita)
    with pytest.raises(Conflict, match="pending"):
        queued.workbench.carry_out(plan.id)
    queued("decide_approval", plan=plan.id, approve=True)
    queued.workbench.carry_out(plan.id)
    assert rejected(queued) == [13]
    assert queued.rows(items)[12]["decided_by"] == "rita"


def test_of_many_calls_at_once_an_approval_serves_one(queued: "Desk", agent: "Actor") -> None:
    plan = plan_of(queued, agent)
    queued("decide_approval", plan=plan.id, approve=True)
    start = threading.Barrier(8)

    def call(_: int) -> str:
        start.wait()
        try:
            return type(queued.workbench.run("bulk_label", REJECT, agent)).__name__
        except DatabitsError as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(call, range(8)))
    assert outcomes.count("BulkLabelled") == 1
    assert queued.outcomes("bulk_label").count("ok") == 1


def test_of_many_calls_at_once_an_approval_starts_one_run(labelled: "Desk") -> None:
    labelled("assemble_dataset", databit="support")
    asked = {"dataset": "support@1"}
    plan = labelled.workbench.propose("launch_fine_tune", asked, labelled.actor)
    labelled("decide_approval", plan=plan.id, approve=True)
    start = threading.Barrier(8)

    def call(_: int) -> str:
        start.wait()
        try:
            found = labelled.workbench.run("launch_fine_tune", asked, labelled.actor)
            return type(found).__name__
        except DatabitsError as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(call, range(8)))
    assert outcomes.count("Run") == 1
    started = [row for row in labelled.rows(runs) if row["operation"] == "launch_fine_tune"]
    assert [row["plan_id"] for row in started] == [plan.id]


# --- runs -----------------------------------------------------------------------------------------


def queue(desk: "Desk") -> Run:
    run = desk.workbench.run("assemble_dataset", {"databit": "support"}, desk.actor)
    assert isinstance(run, Run)
    return run


def take(desk: "Desk", worker: str) -> Any:
    return desk.workbench.database.write(lambda store: store.runs.take(worker, LEASE_US))


def lose(desk: "Desk", run: int) -> None:
    """The worker of a run dies: its lease runs out."""
    database = desk.workbench.database
    database.write(lambda store: store.runs.set(run, lease_until=now() - 1))


def test_a_job_is_queued_then_executed_then_has_its_result(labelled: "Desk") -> None:
    run = queue(labelled)
    assert run.state == "queued"
    assert labelled.rows(datasets) == []
    assert work(labelled.workbench, idle_seconds=0) == 1
    row = labelled.rows(runs)[0]
    assert (row["state"], row["progress"], row["attempts"]) == ("succeeded", 1.0, 1)
    assert row["result"]["dataset"] == "support@1"
    assert labelled.outcomes("assemble_dataset") == ["queued", "ok"]
    done = labelled.rows(audit)[-1]
    assert (done["run_id"], done["change_id"]) == (run.id, row["result"]["change_id"])


def test_runs_are_done_in_the_order_they_were_asked_for(labelled: "Desk") -> None:
    for seed in range(3):
        asked = {"databit": "support", "seed": seed}
        labelled.workbench.run("assemble_dataset", asked, labelled.actor)
    assert work(labelled.workbench, idle_seconds=0) == 3
    assert [row["recipe"]["seed"] for row in labelled.rows(datasets)] == [0, 1, 2]


def test_a_run_whose_worker_died_is_taken_again_and_ends_once(labelled: "Desk") -> None:
    run = queue(labelled)
    take(labelled, "the first")
    assert take(labelled, "the second") is None, "the first may be alive"
    lose(labelled, run.id)
    assert work(labelled.workbench, idle_seconds=0) == 1
    row = labelled.rows(runs)[0]
    assert (row["state"], row["attempts"]) == ("succeeded", 2)
    assert len(labelled.rows(datasets)) == 1
    assert labelled.outcomes("assemble_dataset") == ["queued", "ok"]


def test_a_worker_that_wakes_up_too_late_changes_nothing(labelled: "Desk") -> None:
    run = queue(labelled)
    late = take(labelled, "the first")
    lose(labelled, run.id)
    take(labelled, "the second")
    op = CATALOGUE["assemble_dataset"]
    asked = op.input.model_validate({"databit": "support"})
    call = Call(
        labelled.workbench, op, asked, labelled.actor, run_id=run.id, attempt=late.attempts + 1
    )
    with pytest.raises(Conflict, match="another worker"):
        op.fn(Work(call), **dict(asked))
    assert labelled.rows(datasets) == []
    assert labelled.rows(runs)[0]["state"] == "running"
    assert labelled.workbench.execute(run.id, "the second").state == "succeeded"
    assert labelled.workbench.execute(run.id, "the first").state == "succeeded"
    assert len(labelled.rows(datasets)) == 1
    assert labelled.outcomes("assemble_dataset") == ["queued", "ok"]


def test_a_run_that_kills_its_workers_is_given_up(labelled: "Desk") -> None:
    run = queue(labelled)
    for n in range(3):
        take(labelled, f"worker {n}")
        lose(labelled, run.id)
    assert work(labelled.workbench, idle_seconds=0) == 1
    row = labelled.rows(runs)[0]
    assert row["state"] == "failed"
    assert "worker.log" in row["error"]
    assert labelled.rows(datasets) == []


def test_a_refused_run_fails_with_words_and_on_record(queued: "Desk") -> None:
    run = queue(queued)
    work(queued.workbench, idle_seconds=0)
    row = queued.rows(runs)[0]
    assert (row["state"], row["result"]) == ("failed", None)
    assert row["error"].startswith("Not ready: ")
    assert "approve_labels" in row["error"]
    last = queued.rows(audit)[-1]
    assert (last["run_id"], last["outcome"]) == (run.id, "failed")


class Broken:
    """A serving platform that crashes with somebody's data in its message."""

    def smoke_test(self, uri: str, texts: list[str]) -> None:
        raise RuntimeError("could not read the file of patient Jane Doe")


def test_a_crash_reaches_the_log_and_not_the_caller(
    labelled: "Desk", caplog: pytest.LogCaptureFixture
) -> None:
    labelled("assemble_dataset", databit="support")

    def add_model(store: Any) -> None:
        store.tx.begin_change("launch_fine_tune", "ana", "test")
        store.models.add("support", 1, 1, "classifier-head", ["a", "b"], "models:/x/1", "r", None)
        store.tx.end_change()

    labelled.workbench.database.write(add_model)
    labelled.workbench.serving = Broken()  # type: ignore[assignment]
    plan = labelled.workbench.propose("deploy_model", {"model": "support@1"}, labelled.actor)
    labelled("decide_approval", plan=plan.id, approve=True)
    run = labelled.workbench.carry_out(plan.id)
    before = labelled.state()
    with caplog.at_level(logging.ERROR, "databits"):
        work(labelled.workbench, idle_seconds=0)
    assert "Jane Doe" in caplog.text
    found = labelled.workbench.run("get_run", {"run": run.id}, labelled.actor)
    assert found.state == "failed"
    assert "log" in found.error
    for said in (found.error, *(row["detail"] for row in labelled.rows(audit))):
        assert "Jane" not in said
    assert labelled.state() == before
    assert len(labelled.rows(models)) == 1


def test_a_run_of_an_operation_that_is_gone_fails_and_the_next_goes_on(labelled: "Desk") -> None:
    def add(store: Any) -> None:
        actor = {"name": "ana", "role": "admin", "surface": "test", "person": False, "client": ""}
        store.runs.add("retired_operation", {}, actor, None)

    labelled.workbench.database.write(add)
    queue(labelled)
    assert work(labelled.workbench, idle_seconds=0) == 2
    assert [row["state"] for row in labelled.rows(runs)] == ["failed", "succeeded"]


def test_one_worker_works_for_a_workspace_at_a_time(labelled: "Desk") -> None:
    stop = threading.Event()
    first = threading.Thread(
        target=work, args=[labelled.workbench], kwargs={"idle_seconds": 60, "stop": stop}
    )
    first.start()
    try:
        assert work(labelled.workbench, idle_seconds=0) == 0
        queue(labelled)
        labelled.workbench.run("get_run", {"run": 1, "wait_s": 20}, labelled.actor)
    finally:
        stop.set()
        first.join()
    assert [row["state"] for row in labelled.rows(runs)] == ["succeeded"]


def test_what_is_opened_once_is_opened_once_however_many_threads_ask_first(tmp_path: Path) -> None:
    made = Embedded(Settings(home=tmp_path / "home"))
    for resource in (Embedded.database, Embedded.jobs):
        # From Python 3.12 on, nothing but this function stands between the threads.
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(resource.func, made) for _ in range(8)]
        assert len({id(one.result()) for one in asked}) == 1
    made.database.close()


def test_to_close_a_workbench_that_was_never_used_opens_nothing(tmp_path: Path) -> None:
    made = Embedded(Settings(home=tmp_path / "home"))
    made.close()
    assert not (tmp_path / "home").exists()
    made.run("list_sources", {}, Actor("ana", "admin", "test"))
    made.close()
    assert {path.name for path in (tmp_path / "home").glob("*.db*")} == {
        "workbench.db",
        "workbench.db.owner",
    }
