"""The listing is the catalogue; results and errors are what the operation says."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client
from mcp.types import Implementation

from databits.actor import Actor
from databits.operation import CATALOGUE
from databits.workbench import Workbench
from mcp_server.arguments import entities, with_entities
from mcp_server.auth import identify_local
from mcp_server.server import build_server, output_schema
from tests.mcp_server.conftest import Connect, Grow

pytestmark = pytest.mark.anyio


async def test_every_operation_that_is_not_for_people_only_is_a_tool(
    connect: Connect, era: str
) -> None:
    async with connect(era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    people_only = {op.name for op in CATALOGUE.values() if op.people_only}
    assert people_only
    assert set(tools) == set(CATALOGUE) - people_only
    for name, tool in tools.items():
        op = CATALOGUE[name]
        assert (tool.title, tool.description) == (op.title, op.description)
        assert with_entities(tool.input_schema, (tool.meta or {})["entities"]) == op.input_schema
        assert "x-entity" not in str(tool.input_schema), "it costs models tokens"
        assert tool.output_schema == output_schema(op)
        assert {k: v for k, v in (tool.meta or {}).items() if k != "ui"} == {
            "stage": op.stage,
            "role": op.role,
            "effect": op.effect,
            "job": op.job,
            "examples": list(op.examples),
            "entities": entities(op),
        }


async def test_all_four_hints_of_a_tool_are_explicit(connect: Connect) -> None:
    async with connect() as client:
        tools = (await client.list_tools()).tools
    for tool in tools:
        hints = tool.annotations
        assert hints is not None
        assert None not in (hints.idempotent_hint, hints.open_world_hint)
        effect = {(True, False): "read", (False, False): "write", (False, True): "consequential"}
        assert effect[bool(hints.read_only_hint), bool(hints.destructive_hint)] == (
            CATALOGUE[tool.name].effect
        )
        assert hints.open_world_hint is False


def test_schemas_have_an_object_at_their_root_without_a_union() -> None:
    for op in CATALOGUE.values():
        for schema in (op.input_schema, output_schema(op)):
            assert schema["type"] == "object", op.name
            assert not {"anyOf", "oneOf", "allOf", "$ref"} & set(schema), op.name


async def test_a_page_is_structured_for_programs_and_a_table_for_models(
    connect: Connect, grow: Grow, era: str
) -> None:
    grow(3)
    async with connect(era) as client:  # the client checks the structure against the output schema
        page = await client.call_tool("list_items", {"databit": "support", "limit": 2})
    assert page.structured_content is not None
    assert [row["text"] for row in page.structured_content["rows"]] == ["ticket 0", "ticket 1"]
    assert _text(page).splitlines() == [
        "rows (id, databit, state, text!):",
        '[1,"support","open","ticket 0"]',
        '[2,"support","open","ticket 1"]',
        "total: 3",
        "next: 2",
    ]


async def test_an_anticipated_failure_is_its_phrase_and_its_text(
    connect: Connect, grow: Grow, era: str
) -> None:
    async with connect(era) as client:
        missing = await client.call_tool("get_databit", {"databit": "nothing"})
        wrong = await client.call_tool("list_items", {"databit": "support", "limit": 0, "x": 1})
    assert missing.is_error
    assert wrong.is_error
    assert _text(missing).startswith("Not found: ")
    assert _text(wrong).startswith("Invalid: list_items was not run. limit: input should be")
    assert "pydantic" not in _text(wrong)


async def test_a_role_that_does_not_suffice_is_refused(workbench: Workbench, era: str) -> None:
    server = build_server(workbench, lambda _: Actor("eve", "viewer", "mcp"))
    async with Client(server, mode=era) as client:
        refused = await client.call_tool("import_files", {"path": "x.csv"})
    assert refused.is_error
    assert _text(refused).startswith("Not allowed: import_files needs the role engineer")


async def test_a_crash_is_logged_and_masked(
    workbench: Workbench,
    connect: Connect,
    era: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(workbench, "run", crash)
    async with connect(era) as client:
        crashed = await client.call_tool("list_databits", {})
    assert crashed.is_error
    assert "hunter2" not in _text(crashed)
    assert "hunter2" in caplog.text


async def test_a_list_sent_as_json_text_is_taken_for_the_list(connect: Connect, era: str) -> None:
    async with connect(era) as client:
        made = await client.call_tool(
            "create_databit",
            {"name": "mail", "labels": '["spam", "ham"]', "description": '["not", "parsed"]'},
        )
        read = await client.call_tool("get_databit", {"databit": "mail"})
    assert made.structured_content is not None
    assert made.structured_content["labels"] == ["spam", "ham"]
    assert '["not", "parsed"]' in str(read.structured_content)


async def test_json_text_that_nests_too_deep_for_any_reader_is_refused_in_words(
    connect: Connect, grow: Grow, caplog: pytest.LogCaptureFixture
) -> None:
    grow(1)
    bottomless = "[" * 100_000
    async with connect() as client:
        direct = await client.call_tool(
            "approve_labels", {"databit": "support", "items": bottomless}
        )
        assert _text(direct).startswith("Invalid: approve_labels was not run. items: input should")
        through = await client.call_tool(
            "run_tool", {"name": "approve_labels", "arguments": bottomless}
        )
        assert _text(through).startswith("Invalid: run_tool was not run. arguments: input should")
    assert not caplog.records


async def test_long_work_answers_with_its_run_at_once(
    connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    async with connect(era) as client:
        run = await client.call_tool("prelabel_items", {"databit": "support"})
        assert run.structured_content is not None
        assert run.structured_content["state"] == "queued"
        run_id = run.structured_content["id"]
        assert _text(run).splitlines()[-1].startswith(f"get_run with run={run_id} ")
        seen = await client.call_tool("get_run", {"run": run_id})
    assert seen.structured_content == run.structured_content


async def test_the_same_idempotency_key_is_the_same_run(
    connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    meta = {"databits/idempotencyKey": "monday"}
    asked = {"databit": "support"}
    async with connect(era) as client:
        first = await client.call_tool("prelabel_items", asked, meta=meta)
        assert first.structured_content is not None
        run = {"run": first.structured_content["id"]}
        await client.call_tool("cancel_run", run)
        again = await client.call_tool("prelabel_items", asked, meta=meta)
        other = await client.call_tool("assemble_dataset", asked, meta=meta)
        write = await client.call_tool(
            "create_databit", {"name": "mail", "labels": ["spam", "ham"]}, meta=meta
        )
    assert again.structured_content is not None
    assert (again.structured_content["id"], again.structured_content["state"]) == (
        run["run"],
        "cancelled",
    )
    assert other.is_error
    assert "Use a new key" in _text(other)
    assert write.is_error
    assert "keeps no key" in _text(write)


async def test_waiting_for_a_run_reports_its_progress(
    connect: Connect, grow: Grow, workbench: Any, era: str
) -> None:
    grow(2)
    told: list[tuple[float, str | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message))

    async with connect(era) as client:
        run = await client.call_tool("prelabel_items", {"databit": "support"})
        assert run.structured_content is not None
        run_id = run.structured_content["id"]

        def go_on(store: Any) -> None:
            store.runs.set(run_id, progress=0.5, message="half of it")

        timer = threading.Timer(0.3, workbench.database.write, [go_on])
        timer.start()
        asked = {"run": run_id, "wait_s": 20, "wait_for": "change"}
        seen = await client.call_tool("get_run", asked, progress_callback=hear)
        timer.join()
    assert seen.structured_content is not None
    assert seen.structured_content["progress"] == 0.5
    assert told
    assert told[0][0] == 0


async def test_an_import_reports_its_progress(connect: Connect, tmp_path: Any, era: str) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"text {name}", encoding="utf-8")
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with connect(era) as client:
        done = await client.call_tool(
            "import_files", {"path": str(tmp_path / "*.txt")}, progress_callback=hear
        )
    assert not done.is_error, _text(done)
    assert told == [(0.0, 1.0, "reading file 1 of 2"), (0.5, 1.0, "reading file 2 of 2")]


async def test_a_call_is_on_record_with_its_client_and_is_no_persons(
    workbench: Workbench, era: str
) -> None:
    identify = identify_local(workbench.settings)
    seen: list[Actor] = []
    run = workbench.run

    def spy(name: str, arguments: Any, actor: Actor, **options: Any) -> Any:
        seen.append(actor)
        return run(name, arguments, actor, **options)

    workbench.run = spy  # type: ignore[method-assign]
    # Whatever `identify` says, a tool call can not pass for a person's act.
    server = build_server(workbench, lambda ctx: replace(identify(ctx), person=True))
    info = Implementation(name="cursor", version="3.1")
    async with Client(server, mode=era, client_info=info) as client:
        await client.call_tool("list_databits", {})
        spoken = f"cursor 3.1 (mcp {client.protocol_version})"
    assert seen == [Actor("ana", "admin", "mcp", person=False, client=spoken)]


def _text(result: Any) -> str:
    return str(result.content[0].text)
