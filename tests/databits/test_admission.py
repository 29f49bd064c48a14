"""The role that counts: on the Databit a call is about, else in the workspace, else of the surface."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from databits import directory
from databits.actor import ROLES, Actor, highest, lowest
from databits.change import actor_of, actor_row
from databits.errors import DatabitsError, NotAllowed, NotFound
from databits.store.tables import grants, runs

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases
Allowed = Callable[..., bool]


@pytest.fixture
def team(labelled: "Desk") -> "Desk":
    """`support` with 18 approved items and a dataset, and `urgency` with items 19 to 36; lena."""
    labelled("assemble_dataset", databit="support")
    labelled("create_databit", name="urgency", labels=["now", "later"])
    labelled("queue_items", databit="urgency", source="tickets")
    labelled("add_person", person="lena")
    return labelled


@pytest.fixture
def allowed(team: "Desk") -> Allowed:
    """Whether lena's role suffices; other refusals count as yes."""

    def ask(name: str, /, **arguments: Any) -> bool:
        lena = Actor("lena", "viewer", "test", person=True)
        try:
            team.workbench.run(name, arguments, lena)
        except NotAllowed:
            return False
        except DatabitsError:
            return True
        return True

    return ask


def test_the_lowest_and_the_highest_of_roles() -> None:
    assert (lowest(["admin", "labeler", "engineer"]), highest(["viewer", "labeler"])) == (
        "labeler",
        "labeler",
    )


def test_an_old_actor_without_a_ceiling_is_read() -> None:
    old = {"name": "ana", "role": "admin", "surface": "mcp", "person": False, "client": ""}
    assert actor_of(old) == Actor("ana", "admin", "mcp")
    new = Actor("ana", "labeler", "mcp", limit="reviewer", given="viewer")
    assert actor_of(actor_row(new)) == new


@pytest.mark.parametrize("limit", ROLES)
def test_no_grant_exceeds_the_ceiling(team: "Desk", limit: Any) -> None:
    team("grant_role", person="lena", role="admin")
    lena = Actor("lena", "viewer", "test", person=True, limit=limit)
    call = team.workbench._admit
    from databits.operation import CATALOGUE

    for op in CATALOGUE.values():
        if ROLES.index(op.role) > ROLES.index(limit):
            with pytest.raises(NotAllowed, match=f"you are {limit}"):
                call(op, {}, lena)


def test_a_grant_lowers_as_well_as_it_raises(team: "Desk") -> None:
    lena = Actor("lena", "admin", "test", person=True)
    team.workbench.run("list_people", {}, lena)
    team("grant_role", person="lena", role="viewer")
    with pytest.raises(NotAllowed, match="you are viewer"):
        team.workbench.run("list_people", {}, lena)


def test_what_a_call_is_about_is_found_from_whatever_names_it(
    team: "Desk", allowed: Allowed
) -> None:
    change = team("skip_items", databit="urgency", items=[19]).change_id
    run = team.workbench.run("assemble_dataset", {"databit": "support"}, team.actor).id
    team("grant_role", person="lena", role="engineer", databit="support")
    assert allowed("list_items", databit="support")
    assert allowed("get_item", item=1)
    assert allowed("approve_labels", databit="support", items=[1])
    assert allowed("launch_fine_tune", dataset="support@1")
    assert allowed("cancel_run", run=run)
    assert not allowed("list_items", databit="urgency")
    assert not allowed("get_item", item=19)
    assert not allowed("approve_labels", databit="support", items=[1, 19]), "the lowest counts"
    assert not allowed("undo_change", change=change)
    assert not allowed("get_records"), "sources are the workspace's"
    assert not allowed("create_databit", name="new", labels=["a", "b"])
    team("grant_role", person="lena", role="reviewer", databit="urgency")
    assert allowed("approve_labels", databit="support", items=[1, 19])
    assert allowed("undo_change", change=change)
    assert not allowed("assemble_dataset", databit="urgency")


def test_a_plan_is_about_what_its_call_is_about(team: "Desk") -> None:
    plan = team.workbench.propose("launch_fine_tune", {"dataset": "support"}, team.actor).id
    lena = team.as_("lena", "viewer")
    team("grant_role", person="lena", role="admin", databit="urgency")
    with pytest.raises(NotAllowed):
        lena("decide_approval", plan=plan, approve=True)
    team("grant_role", person="lena", role="reviewer", databit="support")
    with pytest.raises(NotAllowed, match="engineer"):
        lena("decide_approval", plan=plan, approve=True)
    team("grant_role", person="lena", role="engineer", databit="support")
    assert lena("decide_approval", plan=plan, approve=True).state == "approved"


def test_taking_the_name_of_anothers_model_is_about_that_as_well(
    team: "Desk", allowed: Allowed
) -> None:
    team("grant_role", person="lena", role="engineer", databit="support")
    said = {"dataset": "support@1", "model": "urgency"}
    assert not allowed("launch_fine_tune", **said)
    team("grant_role", person="lena", role="engineer", databit="urgency")
    assert allowed("launch_fine_tune", **said)


def test_a_change_is_about_rows_that_are_gone_as_well(team: "Desk", allowed: Allowed) -> None:
    team("create_databit", name="third", labels=["a", "b"])
    queued = team("queue_items", databit="third", source="tickets").change_id
    gone = team("undo_change", change=queued).change_id
    team("grant_role", person="lena", role="viewer")
    team("grant_role", person="lena", role="reviewer", databit="third")
    assert allowed("undo_change", change=gone)
    again = team.workbench.database.read(lambda store: store.scope._change(gone))
    third = team.workbench.database.read(lambda store: store.databits.get("third").databit_id)
    assert again == {third}


def test_what_does_not_exist_is_said_by_the_operation(team: "Desk") -> None:
    team("grant_role", person="lena", role="reviewer")
    team("grant_role", person="lena", role="viewer", databit="support")
    lena = team.as_("lena", "viewer")
    for name, said in (
        ("list_items", {"databit": "suport"}),
        ("get_item", {"item": 999}),
        ("get_dataset", {"dataset": "none@7"}),
        ("get_model", {"model": "none"}),
        ("get_endpoint", {"endpoint": "none"}),
        ("get_run", {"run": 999}),
        ("undo_change", {"change": 999}),
        ("trace_lineage", {"asset": "item:999"}),
    ):
        with pytest.raises(NotFound):
            lena(name, **said)


def test_endpoints_and_requests_are_about_the_databit_behind_them(
    team: "Desk", allowed: Allowed
) -> None:
    def serve(store: Any) -> None:
        store.tx.begin_change("deploy_model", "ana", "test")
        dataset = store.datasets.raw("support@1").id
        model = store.models.add("desk", 1, dataset, "head", ["billing"], "u", "r", None)
        store.endpoints.route_all("desk", model)
        endpoint = store.endpoints.raw("desk").id
        store.endpoints.log(
            [
                {
                    "endpoint_id": endpoint,
                    "model_id": model,
                    "request_id": "req-1",
                    "text": "t",
                    "answer": "billing",
                    "confidence": 0.9,
                    "latency_us": 1,
                    "status_code": 200,
                    "actor": "ana",
                    "created_at": 1,
                }
            ]
        )
        store.tx.end_change()

    team.workbench.database.write(serve)
    team("grant_role", person="lena", role="labeler", databit="urgency")
    assert not allowed("record_feedback", request_id="req-1", thumbs="up")
    assert not allowed("deploy_model", model="desk@1", endpoint="desk")
    team("grant_role", person="lena", role="engineer", databit="support")
    assert allowed("record_feedback", request_id="req-1", thumbs="up")
    assert allowed("extract_feedback_candidates", endpoint="desk")
    assert allowed("trace_lineage", asset="endpoint:desk")

    def about(asset: str) -> set[int]:
        found: set[int] = team.workbench.database.read(lambda store: store.scope._asset(asset))
        return found

    assert about("endpoint:desk") == about("request:req-1") == about("model:desk@1") == {1}
    assert about("item:19") == {2}
    assert about("source:tickets") == about("record:1") == set()
    assert about("feedback:1") == about("dataset:support") == about("databit:support") == {1}


def test_a_run_is_checked_again_when_it_is_executed(team: "Desk") -> None:
    team("grant_role", person="lena", role="engineer", databit="urgency")
    lena = Actor("lena", "viewer", "test", person=True)
    team("correct_labels", databit="urgency", items=[19, 20, 21, 22], label="now")
    run = team.workbench.run("assemble_dataset", {"databit": "urgency"}, lena).id
    assert team.rows(runs)[-1]["actor"]["given"] == "viewer"
    team("revoke_role", person="lena", databit="urgency")
    before = team.state()
    from databits.platforms.embedded.jobs import work

    work(team.workbench, idle_seconds=0)
    row = next(r for r in team.rows(runs) if r["id"] == run)
    assert row["state"] == "failed"
    assert "you are viewer" in row["error"]
    assert team.state() == before


def test_an_approved_plan_is_checked_again_when_it_is_carried_out(team: "Desk") -> None:
    team("grant_role", person="lena", role="engineer", databit="support")
    lena = Actor("lena", "viewer", "test")
    plan = team.workbench.propose("launch_fine_tune", {"dataset": "support"}, lena).id
    team("decide_approval", plan=plan, approve=True)
    team("disable_person", person="lena")
    with pytest.raises(NotAllowed, match="disabled"):
        team.workbench.carry_out(plan)
    team("disable_person", person="lena", disabled=False)
    team("revoke_role", person="lena", databit="support")
    with pytest.raises(NotAllowed, match="you are viewer"):
        team.workbench.carry_out(plan)
    team("grant_role", person="lena", role="engineer")
    team.workbench.carry_out(plan)


def test_a_refusal_by_a_grant_is_on_record(team: "Desk") -> None:
    team("grant_role", person="lena", role="viewer", databit="support")
    with pytest.raises(NotAllowed):
        team.as_("lena", "admin")("claim_items", databit="support")
    assert team.outcomes("claim_items") == ["refused"]


def test_admission_costs_no_query_until_somebody_has_a_role_on_a_databit(
    queued: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MAX_AGE_S", 3600)
    workbench, said = queued.workbench, {"databit": "support", "items": [1]}
    from databits.operation import find

    op, reads = find("approve_labels"), []
    workbench._admit(op, said, queued.actor)
    read = workbench.database.read

    def count(fn: Any) -> Any:
        reads.append(fn)
        return read(fn)

    monkeypatch.setattr(workbench.database, "read", count)
    for _ in range(10):
        workbench._admit(op, said, queued.actor)
    assert reads == []
    queued("add_person", person="lena")
    queued("grant_role", person="lena", role="reviewer", databit="support")
    workbench._admit(op, said, Actor("lena", "viewer", "test"))
    assert reads, "now the call's Databit has to be looked up"


def test_what_another_process_grants_counts_within_a_second(
    queued: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [time.monotonic()]
    monkeypatch.setattr(directory.time, "monotonic", lambda: clock[0])
    lena = Actor("lena", "viewer", "test")
    with pytest.raises(NotAllowed):
        queued.workbench.run("get_records", {}, lena)
    values = {"id": 1, "person": "lena", "role": "labeler", "created_at": 1}
    queued.workbench.database.write(
        lambda store: store.tx.db.execute(insert(grants).values(**values))
    )
    clock[0] += 1.0
    queued.workbench.run("get_records", {}, lena)


def test_a_name_in_capitals_is_the_same_person(team: "Desk") -> None:
    team("disable_person", person="lena")
    with pytest.raises(NotAllowed, match="disabled"):
        team.workbench.run("list_databits", {}, Actor("Lena", "admin", "test"))


def test_a_grant_on_one_databit_leaves_the_others_as_they_were(team: "Desk") -> None:
    lena = Actor("lena", "admin", "test", person=True)
    team("grant_role", person="lena", role="viewer", databit="support")
    team.workbench.run("list_items", {"databit": "urgency"}, lena)
    with pytest.raises(NotAllowed):
        team.workbench.run("list_items", {"databit": "support"}, replace(lena, given="admin"))
