"""`run_tool` is the call of the tool itself: refusals, questions, plans, progress, keys. Earlier names are, too."""

from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import ElicitRequestFormParams, ElicitResult

from databits.actor import Actor
from databits.operation import CATALOGUE
from databits.store.tables import audit, plans
from databits.workbench import Workbench
from mcp_server import surface
from mcp_server.aliases import RENAMED
from mcp_server.server import build_server
from mcp_server.surface import LONG_TAIL
from tests.mcp_server.conftest import Connect, Grow
from tests.mcp_server.tasks_client import Follows, ask, begin

pytestmark = pytest.mark.anyio
LABEL_ALL = {"databit": "support", "verdict": "label", "to": "bug"}


async def run(client: Client, name: str, /, arguments: Any = None, **options: Any) -> Any:
    given = {"name": name} if arguments is None else {"name": name, "arguments": arguments}
    return await client.call_tool("run_tool", given, **options)


def text(result: Any) -> str:
    return "\n".join(block.text for block in result.content)


def states(workbench: Workbench) -> list[str]:
    rows = workbench.database.read(lambda store: store.tx.rows(plans.select().order_by(plans.c.id)))
    return [row.state for row in rows]


async def test_every_tool_answers_the_same_through_run_tool(
    connect: Connect, grow: Grow, era: str
) -> None:
    """No tool takes `no_such`: so each is reached, and by its own check of arguments."""
    grow(1)
    tools = [op.name for op in CATALOGUE.values() if not op.people_only]
    assert len(tools) > 40
    async with connect(era, toolsets=["core"]) as client:
        for name in tools:
            direct = await client.call_tool(name, {"no_such": 1})
            through = await run(client, name, {"no_such": 1})
            assert direct.is_error
            assert text(direct).startswith(f"Invalid: {name} was not run"), name
            assert text(through) == text(direct)
        direct = await client.call_tool("queue_status", {"databit": "support"})
        for arguments in ({"databit": "support"}, '{"databit": "support"}'):
            through = await run(client, "queue_status", arguments)
            assert through.structured_content == direct.structured_content


async def test_what_it_can_not_run_is_told(connect: Connect, era: str) -> None:
    async with connect(era) as client:
        for given, told in (
            ({"name": "list_item"}, "Not found: There is no tool of that name. Near: list_items"),
            ({"name": "zzz"}, "Not found: There is no tool of that name. search_tools finds"),
            ({"name": "run_tool", "arguments": {"name": "list_items"}}, "Invalid: run_tool runs"),
            ({"name": "search_tools", "arguments": {"query": "x"}}, "Invalid: run_tool runs"),
            ({}, "Invalid: run_tool was not run. name: field required"),
            ({"name": 3}, "Invalid: run_tool was not run. name:"),
            ({"name": "list_items", "arguments": [1]}, "Invalid: run_tool was not run. arguments:"),
            ({"name": "list_items", "arguments": "{"}, "Invalid: run_tool was not run. arguments:"),
            ({"name": "list_items", "x": 1}, "Invalid: run_tool was not run. x:"),
        ):
            answer = await client.call_tool("run_tool", given)
            assert answer.is_error
            assert text(answer).startswith(told), given


async def test_what_is_for_people_is_never_reached(
    connect: Connect, workbench: Workbench, grow: Grow, era: str
) -> None:
    grow(1)
    people_only = [op.name for op in CATALOGUE.values() if op.people_only]
    assert "decide_approval" in people_only
    async with connect(era) as client:
        await client.call_tool("bulk_label", LABEL_ALL)
        for name in people_only:
            said = {"plan": 1, "approve": True, "confirm": True}
            answer = await run(client, name, said)
            assert answer.is_error
            assert "is for people" in text(answer)
            found = await client.call_tool("search_tools", {"query": name, "limit": 20})
            assert found.structured_content is not None
            assert name not in {tool["name"] for tool in found.structured_content["tools"]}
    assert states(workbench) == ["pending"]


@pytest.mark.parametrize(("approve", "state"), [(True, "executed"), (False, "rejected")])
async def test_a_person_is_asked_as_in_a_direct_call(
    connect: Connect, workbench: Workbench, grow: Grow, era: str, approve: bool, state: str
) -> None:
    grow(2)
    asked: list[str] = []

    def answer(params: ElicitRequestFormParams) -> ElicitResult:
        asked.append(params.message)
        digest = params.requested_schema["properties"]["plan"]["default"]
        return ElicitResult(action="accept", content={"approve": approve, "plan": digest})

    async with connect(era, answer) as client:
        done = await run(client, "bulk_label", LABEL_ALL)
    assert not done.is_error
    assert (done.structured_content["result"] is not None) == approve
    assert len(asked) == 1
    assert "How many: 2" in asked[0]
    assert states(workbench) == [state]


async def test_a_client_that_can_not_be_asked_gets_the_plan_and_can_not_confirm_it(
    connect: Connect, workbench: Workbench, grow: Grow, era: str
) -> None:
    grow(2)
    async with connect(era) as client:
        first = await run(client, "bulk_label", LABEL_ALL)
        again = await run(client, "bulk_label", LABEL_ALL)
        confirmed = await run(client, "bulk_label", {**LABEL_ALL, "confirm": True})
        outside = await client.call_tool(
            "run_tool", {"name": "bulk_label", "arguments": LABEL_ALL, "confirm": True}
        )
    assert first.structured_content["plan"]["state"] == "pending"
    assert again.structured_content["plan"]["id"] == first.structured_content["plan"]["id"]
    assert confirmed.is_error
    assert outside.is_error
    assert states(workbench) == ["pending"]


async def test_progress_and_idempotency_keys_come_through(
    connect: Connect, grow: Grow, tmp_path: Path, era: str
) -> None:
    grow(2)
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    told: list[str | None] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append(message)

    meta: dict[str, Any] = {"databits/idempotencyKey": "monday"}
    async with connect(era) as client:
        read = await run(
            client, "import_files", {"path": str(tmp_path / "a.txt")}, progress_callback=hear
        )
        first = await run(client, "prelabel_items", {"databit": "support"}, meta=meta)
        direct = await client.call_tool("prelabel_items", {"databit": "support"}, meta=meta)
    assert not read.is_error
    assert told
    assert first.structured_content["id"] == direct.structured_content["id"]  # type: ignore[index]
    assert text(first) == text(direct)


async def test_long_work_is_a_task_for_clients_that_know_tasks(
    connect: Connect, grow: Grow
) -> None:
    grow(2)
    asked = {"name": "prelabel_items", "arguments": {"databit": "support"}}
    async with connect(extensions=[Follows()]) as client:
        task = await begin(client, "run_tool", asked)
        seen = await ask(client.session, "get", task["taskId"])
    assert task["resultType"] == "task"
    assert seen["status"] == "working"


async def test_the_audit_log_names_the_operation(
    connect: Connect, workbench: Workbench, era: str
) -> None:
    async with connect(era) as client:
        await run(client, "create_databit", {"name": "mail", "labels": ["spam", "ham"]})
    rows = workbench.database.read(lambda store: store.tx.rows(audit.select()))
    assert [(row.operation, row.outcome) for row in rows] == [("create_databit", "ok")]


async def test_its_hints_are_those_of_the_most_dangerous_tool_behind_it(connect: Connect) -> None:
    async with connect(toolsets=["core"]) as client:
        hints = {t.name: t.annotations for t in (await client.list_tools()).tools}
    run_tool, search_tools = hints["run_tool"], hints["search_tools"]
    assert run_tool is not None
    assert search_tools is not None
    assert (run_tool.read_only_hint, run_tool.destructive_hint) == (False, True)
    assert (search_tools.read_only_hint, search_tools.destructive_hint) == (True, False)


async def test_a_search_gives_what_a_call_takes(connect: Connect, era: str) -> None:
    async with connect(era, toolsets=["core"]) as client:
        found = await client.call_tool("search_tools", {"query": "is the audit log intact"})
        assert found.structured_content is not None
        [best, *_] = found.structured_content["tools"]
        called = await run(client, best["name"], {})
        nothing = await client.call_tool("search_tools", {"query": "qqqq"})
        wrong = await client.call_tool("search_tools", {"query": "x", "limit": 21})
    assert best["name"] == "verify_audit"
    assert (best["effect"], best["role"]) == ("read", CATALOGUE["verify_audit"].role)
    assert best["input_schema"]["additionalProperties"] is False
    assert called.structured_content["intact"] is True
    assert nothing.structured_content is not None
    assert nothing.structured_content["tools"] == []
    assert "verify_audit" in nothing.structured_content["next"], "it says what there is"
    assert text(wrong).startswith("Invalid: search_tools was not run. limit:")


# earlier names ------------------------------------------------------------------------------------


def test_an_earlier_name_neither_shadows_a_tool_nor_leads_nowhere() -> None:
    assert not set(RENAMED) & {*CATALOGUE, *LONG_TAIL}
    assert not set(RENAMED.values()) & set(RENAMED)
    for new in RENAMED.values():
        assert not CATALOGUE[new].people_only


async def test_an_earlier_name_still_works_and_says_the_new_one(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch, era: str
) -> None:
    monkeypatch.setattr(surface, "RENAMED", {"databits_list": "list_databits"})
    server = build_server(workbench, lambda _: Actor("ana", "admin", "mcp"), toolsets=["core"])
    async with Client(server, mode=era) as client:
        assert "databits_list" not in {tool.name for tool in (await client.list_tools()).tools}
        now = await client.call_tool("list_databits", {})
        for answer in (
            await client.call_tool("databits_list", {}),
            await run(client, "databits_list"),
        ):
            assert answer.structured_content == now.structured_content
            told = "databits_list is called list_databits now; use that name."
            assert text(answer) == f"{text(now)}\n{told}"
        wrong = await client.call_tool("databits_list", {"x": 1})
        assert wrong.is_error
        assert "use that name" in text(wrong)
