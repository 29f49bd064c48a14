"""Consequential calls: asked for as a form, answered by a person, bound to the plan they saw."""

from datetime import UTC, datetime
from typing import Any

import pytest
from mcp.types import ElicitRequestFormParams, ElicitResult

from databits.actor import Actor
from databits.change import Work
from databits.model import Changed, Plan, Run
from databits.operation import CATALOGUE, Operation, Preview, find
from databits.store import Store
from databits.workbench import Workbench
from mcp_server.auth import local_actor
from mcp_server.confirm import DECLINED, Confirmation
from tests.mcp_server.conftest import Connect, Grow

pytestmark = pytest.mark.anyio

LABEL_ALL = {"databit": "support", "verdict": "label", "to": "bug"}


def accept(_: ElicitRequestFormParams) -> ElicitResult:
    return ElicitResult(action="accept", content={"approve": True})


def undecided(workbench: Workbench) -> int:
    me = local_actor(workbench.settings, "test")
    status = workbench.run("queue_status", {"databit": "support"}, me)
    return int(status.open)  # type: ignore[attr-defined]


def plans(workbench: Workbench, state: str | None = None) -> list[Plan]:
    return workbench.database.read(lambda store: store.plans.page(state, 0, 50))


async def test_an_accepted_plan_is_carried_out(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(7)
    questions: list[ElicitRequestFormParams] = []

    def answer(params: ElicitRequestFormParams) -> ElicitResult:
        questions.append(params)
        return accept(params)

    async with connect(era, answer) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)

    assert done.structured_content is not None
    assert done.structured_content["result"]["decided"] == 7
    assert done.structured_content["plan"] is done.structured_content["run"] is None
    assert undecided(workbench) == 0
    (question,) = questions
    (plan,) = plans(workbench)
    assert (plan.state, plan.decided_by) == ("executed", "ana")
    assert question.requested_schema["properties"]["plan"]["default"] == plan.digest
    assert question.message.startswith(plan.summary)
    assert "- item 1: bug" in question.message
    assert "How many: 7." in question.message
    assert f"Plan {plan.id} (bulk_label), asked by ana." in question.message


async def test_the_approval_is_on_record_as_a_persons_through_the_client(
    workbench: Workbench, connect: Connect, grow: Grow
) -> None:
    grow(1)
    async with connect(answer=accept) as client:
        await client.call_tool("bulk_label", LABEL_ALL)
    me = local_actor(workbench.settings, "test")
    found = workbench.run("search_audit", {"operation": "decide_approval"}, me)
    (event,) = found.rows  # type: ignore[attr-defined]
    assert (event.actor, event.surface, event.outcome) == ("ana", "mcp", "ok")
    assert event.client.startswith("mcp")


@pytest.mark.parametrize(
    "said",
    [
        ElicitResult(action="decline"),
        ElicitResult(action="accept", content={"approve": False}),
    ],
    ids=["declined", "not approved"],
)
async def test_a_declined_plan_is_rejected_and_nothing_is_done(
    workbench: Workbench, connect: Connect, grow: Grow, era: str, said: ElicitResult
) -> None:
    grow(2)
    async with connect(era, lambda _: said) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert not done.is_error
    assert done.structured_content is not None
    assert done.structured_content["plan"]["state"] == "rejected"
    assert done.structured_content["next"] == DECLINED
    assert undecided(workbench) == 2
    assert [plan.state for plan in plans(workbench)] == ["rejected"]


async def test_a_dismissed_question_leaves_the_plan_waiting(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    async with connect(era, lambda _: ElicitResult(action="cancel")) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert done.structured_content is not None
    assert "still waits for a person" in done.structured_content["next"]
    assert undecided(workbench) == 2
    assert [plan.state for plan in plans(workbench)] == ["pending"]


async def test_an_answer_that_names_another_plan_does_nothing(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    other = {"approve": True, "plan": "0" * 64}
    async with connect(era, lambda _: ElicitResult(action="accept", content=other)) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert done.is_error
    assert _text(done).startswith("Conflict: What the plan was made from has changed")
    assert undecided(workbench) == 2
    assert [plan.state for plan in plans(workbench)] == ["pending"]


async def test_a_yes_to_few_items_does_not_hold_for_many_in_the_middle_of_a_call(
    workbench: Workbench, connect: Connect, grow: Grow
) -> None:
    grow(2)

    def answer(params: ElicitRequestFormParams) -> ElicitResult:
        grow(50)
        return accept(params)

    async with connect("legacy", answer) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert done.is_error
    assert _text(done).endswith("Call bulk_label again: it asks about that plan.")
    states = {plan.id: (plan.state, plan.count) for plan in plans(workbench)}
    assert states == {1: ("stale", 2), 2: ("pending", 52)}
    assert "Plan 2 was made from the present state" in _text(done)
    assert undecided(workbench) == 52


async def test_a_yes_to_few_items_is_asked_again_for_many(
    workbench: Workbench, connect: Connect, grow: Grow
) -> None:
    grow(2)
    counts: list[str] = []

    def answer(params: ElicitRequestFormParams) -> ElicitResult:
        counts.append(params.message.splitlines()[1])
        if len(counts) == 1:
            grow(50)
            return accept(params)
        return ElicitResult(action="decline")

    async with connect("2026-07-28", answer) as client:
        await client.call_tool("bulk_label", LABEL_ALL)
    assert counts == ["How many: 2.", "How many: 52."]
    assert undecided(workbench) == 52


async def test_a_client_that_can_not_be_asked_gets_the_plan_and_how_to_approve_it(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    async with connect(era) as client:
        planned = await client.call_tool("bulk_label", LABEL_ALL)
        again = await client.call_tool("bulk_label", LABEL_ALL)
        assert planned.structured_content is not None
        assert planned.structured_content == again.structured_content
        plan = planned.structured_content["plan"]
        assert f"databits approve {plan['id']}" in planned.structured_content["next"]
        assert undecided(workbench) == 2

        _decide(workbench, plan["id"], approve=True)
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert done.structured_content is not None
    assert done.structured_content["result"]["decided"] == 2


async def test_a_plan_that_a_person_approved_elsewhere_runs_without_a_question(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    plan = workbench.propose("bulk_label", LABEL_ALL, local_actor(workbench.settings, "test"))
    _decide(workbench, plan.id, approve=True)

    def never(_: ElicitRequestFormParams) -> ElicitResult:
        raise AssertionError("asked")

    async with connect(era, never) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert done.structured_content is not None
    assert done.structured_content["result"]["decided"] == 2


async def test_what_can_not_be_proposed_is_refused_without_a_question(
    connect: Connect, grow: Grow, era: str
) -> None:
    def never(_: ElicitRequestFormParams) -> ElicitResult:
        raise AssertionError("asked")

    async with connect(era, never) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert done.is_error
    assert _text(done).startswith("Not ready: No undecided item")


# relay: the agent shows the plan to a person; its own answer is no consent ---------------------


async def test_a_relay_can_not_approve_whatever_it_answers(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)

    def forge(params: ElicitRequestFormParams) -> ElicitResult:
        digest = params.requested_schema["properties"]["plan"]["default"]
        return ElicitResult(action="accept", content={"approve": True, "plan": digest})

    async with connect(era, forge, relay=True) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
        hidden = await client.call_tool("decide_approval", {"plan": 1, "approve": True})
    assert done.is_error
    assert _text(done).startswith("Not allowed: plan 1 has not been approved")
    assert hidden.is_error
    assert undecided(workbench) == 2
    assert [plan.state for plan in plans(workbench)] == ["pending"]


async def test_a_relay_sees_the_whole_plan_and_runs_it_once_a_person_approved_it(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    seen: list[dict[str, Any]] = []

    def show(params: ElicitRequestFormParams) -> ElicitResult:
        shown = params.requested_schema["properties"]["plan"]
        assert shown["default"] == shown["x-plan"]["digest"]
        seen.append(shown["x-plan"])
        _decide(workbench, shown["x-plan"]["id"], approve=True)
        return accept(params)

    async with connect(era, show, relay=True) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert Plan.model_validate(seen[0]).count == 2
    assert done.structured_content is not None
    assert done.structured_content["result"]["decided"] == 2


async def test_a_relays_no_makes_no_further_plan(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)

    def reject(params: ElicitRequestFormParams) -> ElicitResult:
        plan_id = params.requested_schema["properties"]["plan"]["x-plan"]["id"]
        _decide(workbench, plan_id, approve=False)
        return ElicitResult(action="decline")

    async with connect(era, reject, relay=True) as client:
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert done.is_error
    assert _text(done) == f"Not allowed: {DECLINED}"
    assert [plan.state for plan in plans(workbench)] == ["rejected"]
    assert undecided(workbench) == 2


async def test_a_job_whose_key_is_known_answers_with_its_run_and_asks_nobody(
    connect: Connect, workbench: Workbench, monkeypatch: pytest.MonkeyPatch, era: str
) -> None:
    def preview(store: Store) -> Preview:
        return Preview(summary="Publish it.")

    def publish(work: Work) -> Changed:
        """Publish what there is. It takes a while."""
        return work.commit(lambda _: Changed())

    publish.__module__ = "test_confirm.deploy.publish"
    op = Operation(publish, "engineer", "consequential", job=True, preview=preview)
    monkeypatch.setitem(CATALOGUE, "publish", op)
    meta = {"databits/idempotencyKey": "monday"}
    asked: list[str] = []

    def yes(params: ElicitRequestFormParams) -> ElicitResult:
        asked.append(params.message)
        plan = params.requested_schema["properties"]["plan"]["default"]
        return ElicitResult(action="accept", content={"approve": True, "plan": plan})

    async with connect(era, yes) as client:
        first = await client.call_tool("publish", {}, meta=meta)
        again = await client.call_tool("publish", {}, meta=meta)
    assert first.structured_content is not None
    assert again.structured_content is not None
    assert first.structured_content["run"]["id"] == again.structured_content["run"]["id"]
    assert len(asked) == 1
    assert len(plans(workbench)) == 1


async def test_an_approved_job_answers_with_its_run(workbench: Workbench) -> None:
    now = datetime.now(UTC)
    run = Run(id=4, operation="launch_fine_tune", state="queued", actor="ana", created_at=now)
    plan = Plan(
        id=1,
        operation="launch_fine_tune",
        arguments={},
        summary="Train.",
        count=1,
        sample=[],
        cost="a minute",
        irreversible="",
        state="approved",
        asked_by="ana",
        digest="0" * 64,
        expires_at=now,
    )

    class Queues:
        def propose(self, *_: object) -> Plan:
            return plan

        def run(self, *_: object, progress: object = None, key: object = None) -> Run:
            return run

    actor = Actor("ana", "admin", "mcp")
    confirmation = Confirmation(find("launch_fine_tune"), Queues(), lambda _: actor)
    outcome = await confirmation.carry_out({}, actor)
    assert outcome.run == run
    assert outcome.next.startswith("get_run with run=4")


def _decide(workbench: Workbench, plan_id: int, *, approve: bool) -> None:
    person = Actor("ana", "admin", "chat", person=True)
    workbench.run("decide_approval", {"plan": plan_id, "approve": approve}, person)


def _text(result: Any) -> str:
    return str(result.content[0].text)
