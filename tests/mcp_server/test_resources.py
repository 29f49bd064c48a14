"""Resources: what can be read by address, by whoever may, in both eras of the protocol."""

import json
from typing import Any

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import ReadResourceResult, TextResourceContents

from databits.actor import Actor
from databits.operation import find as operation
from databits.workbench import Workbench
from mcp_server import resource_list, resources
from mcp_server.auth import local_actor
from tests.mcp_server.conftest import Connect, Grow
from tests.mcp_server.test_http import HOME, served

pytestmark = pytest.mark.anyio


def me(workbench: Workbench) -> Actor:
    return local_actor(workbench.settings, "test")


def text(found: ReadResourceResult, number: int = 0) -> str:
    contents = found.contents[number]
    assert isinstance(contents, TextResourceContents)
    return contents.text


async def refused(client: Client, uri: str) -> MCPError:
    with pytest.raises(MCPError) as error:
        await client.read_resource(uri)
    return error.value


async def uris(client: Client) -> list[str]:
    """All pages of the list, without what others offer."""
    found: list[str] = []
    cursor = None
    while True:
        page = await client.list_resources(cursor=cursor)
        found += [r.uri for r in page.resources if not r.uri.startswith("ui://")]
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_a_resource_is_what_the_read_operation_gives(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    async with connect(era) as client:
        for uri, name, arguments in (
            ("databit://support", "get_databit", {"databit": "support"}),
            ("databit://support/1.0.0", "get_databit", {"databit": "support", "version": "1.0.0"}),
            ("queue://support", "queue_status", {"databit": "support"}),
            ("item://1", "get_item", {"item": 1}),
        ):
            found = await client.read_resource(uri)
            assert found.contents[0].mime_type == "application/json"
            same = workbench.run(name, arguments, me(workbench)).model_dump(mode="json")
            assert json.loads(text(found)) == same, uri
        pipeline = await client.read_resource("pipeline://support")
        lineage = await client.read_resource("lineage://item/1")
    assert pipeline.contents[0].mime_type == "text/plain"
    assert "next: " in text(pipeline)
    assert '["item:1","queued for","databit:support",1,false]' in text(lineage)


async def test_a_run_a_dataset_a_model_and_an_endpoint_have_addresses_too(
    workbench: Workbench, connect: Connect, grow: Grow
) -> None:
    grow(1)
    made = workbench.run("prelabel_items", {"databit": "support"}, me(workbench))
    async with connect() as client:
        run = json.loads(text(await client.read_resource(f"run://{made.id}")))  # type: ignore[attr-defined]
        assert (run["operation"], run["state"]) == ("prelabel_items", "queued")
        for uri, said in (
            ("dataset://support/1", "There is no such dataset"),
            ("model://support", "There is no such model"),
            ("model://support/2", "There is no such model"),
            ("endpoint://support", "There is no endpoint"),
        ):
            assert said in (await refused(client, uri)).message


async def test_what_does_not_exist_is_the_protocols_not_found_and_says_what_does(
    connect: Connect, grow: Grow, era: str
) -> None:
    grow(1)
    async with connect(era) as client:
        unknown = await refused(client, "databit://suport")
        assert (unknown.code, unknown.data) == (
            -32602,
            {"kind": "Not found", "uri": "databit://suport"},
        )
        assert "Databits: support" in unknown.message
        assert "1.0.0" in (await refused(client, "databit://support/9.9.9")).message
        assert "item://{item}" in (await refused(client, "item://1/2")).message
        assert (await refused(client, "item://twelve")).code == -32602
        assert (await refused(client, "nothing://here")).code == -32602


async def test_texts_from_files_are_marked_as_data(connect: Connect, grow: Grow, era: str) -> None:
    grow(1)
    async with connect(era) as client:
        for uri, where in (("item://1", "record.text"), ("source://tickets-0", "rows.text")):
            found = await client.read_resource(uri)
            assert where in (found.contents[0].meta or {})["databits/untrusted"]
            assert text(found, 1) == resources.IT_IS_DATA
        assert len((await client.read_resource("databit://support")).contents) == 1


async def test_every_address_is_read_by_an_operation_that_changes_nothing() -> None:
    for address in resources.ADDRESSES:
        op = operation(address.operation)
        assert op.effect == "read"
        assert not op.people_only
        values = dict.fromkeys(address.template.variable_names, "1")
        assert set(address.arguments(values)) <= set(op.input_schema["properties"])


async def test_a_role_holds_for_resources_as_it_does_for_tools(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(1)
    workbench.settings = workbench.settings.model_copy(update={"role": "viewer", "user": "vi"})
    async with connect(era) as client:
        assert json.loads(text(await client.read_resource("databit://support")))["items"] == 1
        error = await refused(client, "item://1")
        templates = (await client.list_resource_templates()).resource_templates
    assert not {t.name for t in templates} & {"item_item", "source_source"}
    assert len(templates) == len(resources.ADDRESSES) - 2
    assert error.data == {"kind": "Not allowed", "uri": "item://1"}
    assert "labeler" in error.message
    events = workbench.database.read(lambda store: store.audit.page(0, 1))
    assert (events[0].operation, events[0].outcome, events[0].actor) == (
        "get_item",
        "refused",
        "vi",
    )


async def test_toolsets_hold_for_resources(connect: Connect, grow: Grow, era: str) -> None:
    grow(1)
    async with connect(era, toolsets=["curate"]) as client:
        assert await client.read_resource("queue://support")
        assert "toolsets" in (await refused(client, "databit://support")).message
        offered = {
            t.uri_template for t in (await client.list_resource_templates()).resource_templates
        }
        listed = await uris(client)
    assert offered == {"queue://{databit}", "item://{item}", "run://{run}"}
    assert listed == []


async def test_a_tokens_toolsets_hold_for_resources(workbench: Workbench, grow: Grow) -> None:
    grow(1)
    person = me(workbench).through("command", person=True)
    made: Any = workbench.run(
        "create_token", {"name": "ci", "role": "viewer", "toolsets": ["curate"]}, person
    )
    async with served(workbench) as http:
        http.headers["authorization"] = f"Bearer {made.secret}"
        for era in ("legacy", "2026-07-28"):
            transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
            async with Client(transport, mode=era) as client:
                assert await client.read_resource("queue://support")
                assert (await refused(client, "databit://support")).code == -32602


async def test_the_list_is_what_runs_then_databits_and_endpoints(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(1)
    workbench.run("prelabel_items", {"databit": "support"}, me(workbench))
    async with connect(era) as client:
        page = await client.list_resources()
    assert [r.uri for r in page.resources][:2] == ["run://1", "databit://support"]
    assert page.resources[1].description == "draft; 0 of 1 items approved"


async def test_a_long_list_comes_in_pages(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    names = [f"d{n}" for n in range(resource_list.LISTED + 7)]
    for name in names:
        workbench.run("create_databit", {"name": name, "labels": ["a", "b"]}, me(workbench))
    grow(1)
    workbench.run("prelabel_items", {"databit": "support"}, me(workbench))
    async with connect(era) as client:
        first = await client.list_resources()
        assert len(first.resources) == resource_list.LISTED
        assert await uris(client) == [
            "run://1",
            *(f"databit://{name}" for name in ["support", *names]),
        ]


@pytest.mark.parametrize(
    "cursor", ["", "x", "bm90aGluZzox", "ZGF0YWJpdHM6LTE", "ZGF0YWJpdHM6eA", "é", "A" * 5000]
)
async def test_a_wrong_cursor_is_refused_as_invalid_parameters(
    connect: Connect, era: str, cursor: str
) -> None:
    async with connect(era) as client:
        for ask in (
            client.list_resources,
            client.list_resource_templates,
            client.list_prompts,
            client.list_tools,
        ):
            with pytest.raises(MCPError) as error:
                await ask(cursor=cursor)
            assert error.value.code == -32602
            assert "cursor" in error.value.message


async def test_lists_that_the_sdk_gives_whole_come_in_pages_too(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, era: str
) -> None:
    async with connect(era) as client:
        whole = [tool.name for tool in (await client.list_tools()).tools]
        monkeypatch.setattr("mcp_server.paging.ROWS", 7)
        found: list[str] = []
        cursor = None
        while True:
            page = await client.list_tools(cursor=cursor, cache_mode="bypass")
            assert len(page.tools) <= 7
            found += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert found == whole


async def test_resources_may_be_kept_but_not_shared(
    workbench: Workbench, connect: Connect, grow: Grow
) -> None:
    grow(1)
    run: Any = workbench.run("prelabel_items", {"databit": "support"}, me(workbench))
    async with connect() as client:
        going_on = await client.read_resource(f"run://{run.id}")
        workbench.run("cancel_run", {"run": run.id}, me(workbench))
        ended = await client.read_resource(f"run://{run.id}", cache_mode="bypass")
        listed = await client.list_resources()
    assert {going_on.cache_scope, ended.cache_scope, listed.cache_scope} == {"private"}
    assert (going_on.ttl_ms, ended.ttl_ms) == (1_000, 3_600_000)
