"""What a caller sees of the tools: `core` by default, toolsets, read-only, role; and never more than allowed."""

from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from databits.actor import Actor, Role
from databits.errors import Invalid
from databits.operation import CATALOGUE, STAGES, load_catalogue
from databits.settings import Settings
from databits.workbench import Workbench
from mcp_server.server import build_server
from mcp_server.surface import LONG_TAIL
from mcp_server.toolsets import ALWAYS, CORE, parse
from tests.accounts import add_account, add_token, run
from tests.mcp_server.conftest import Connect, Grow
from tests.mcp_server.test_callers import connected
from tests.mcp_server.test_http import HOME, served

anyio = pytest.mark.anyio
NEW = {"name": "mine", "labels": ["a", "b"]}


async def names(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


def text(result: Any) -> str:
    return str(result.content[0].text)


def of(*stages: str) -> set[str]:
    runnable = {op.name for op in CATALOGUE.values() if not op.people_only}
    return {n for n in runnable if CATALOGUE[n].stage in stages} | ALWAYS


@anyio
async def test_core_lists_the_most_used_and_the_way_to_the_rest(connect: Connect, era: str) -> None:
    async with connect(era, toolsets=["core"]) as client:
        assert await names(client) == CORE | LONG_TAIL
        made = await client.call_tool("get_databit", {"databit": "none"})
    assert text(made).startswith("Not found"), "what is not listed can be called"


def test_core_has_something_of_every_stage_and_nothing_that_is_not_there() -> None:
    load_catalogue()
    assert set(CATALOGUE) >= CORE
    assert {CATALOGUE[name].stage for name in CORE} == set(STAGES)
    assert not any(CATALOGUE[name].people_only for name in CORE)


@anyio
async def test_stages_rule_out_the_others(connect: Connect, era: str) -> None:
    async with connect(era, toolsets=["curate", "monitor"]) as client:
        assert await names(client) == of("curate", "monitor")
        direct = await client.call_tool("create_databit", NEW)
        through = await client.call_tool("run_tool", {"name": "create_databit", "arguments": NEW})
        found = await client.call_tool("search_tools", {"query": "create databit", "limit": 20})
    for refused in (direct, through):
        assert refused.is_error
        assert text(refused) == (
            "Not allowed: create_databit is not in this server's toolsets: curate, monitor. It is in `template`. "
            "Its owner chooses them with --toolsets or DATABITS_TOOLSETS."
        )
    assert found.structured_content is not None
    assert {tool["name"] for tool in found.structured_content["tools"]} <= of("curate", "monitor")


@anyio
async def test_core_with_stages_lists_both_and_reaches_the_rest(connect: Connect) -> None:
    async with connect(toolsets=["core", "train"]) as client:
        assert await names(client) == CORE | of("train") | LONG_TAIL
    async with connect(toolsets=["all", "core"]) as client:
        assert await names(client) == of(*STAGES), "nothing is left to be found"


@anyio
async def test_read_only_offers_and_does_nothing_that_changes_anything(
    connect: Connect, era: str
) -> None:
    async with connect(era, toolsets=["core"], read_only=True) as client:
        listed = await names(client)
        assert {CATALOGUE[name].effect for name in listed - LONG_TAIL} == {"read"}
        for asked in (
            await client.call_tool("create_databit", NEW),
            await client.call_tool("run_tool", {"name": "create_databit", "arguments": NEW}),
        ):
            assert asked.is_error
            assert "read-only" in text(asked)
        there = await client.call_tool("list_databits", {})
    assert there.structured_content is not None
    assert there.structured_content["total"] == 0


@pytest.mark.parametrize("wrong", [["labels"], ["curate", "trian"], [" "], []])
def test_an_unknown_toolset_is_refused_with_the_ones_there_are(
    workbench: Workbench, wrong: list[str]
) -> None:
    with pytest.raises(Invalid, match=f"Toolsets are core, {', '.join(STAGES)}, all"):
        build_server(workbench, lambda _: Actor("ana", "admin", "mcp"), toolsets=wrong)


def test_a_misspelt_toolset_is_told_the_near_one() -> None:
    with pytest.raises(Invalid, match="Did you mean train"):
        parse(["trian"])
    assert parse([" Curate", "train", "curate "]) == ("curate", "train")


def test_toolsets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().toolsets == ["core"]
    monkeypatch.setenv("DATABITS_TOOLSETS", "curate, train")
    assert Settings().toolsets == ["curate", "train"]
    monkeypatch.setenv("DATABITS_TOOLSETS", '["all"]')
    monkeypatch.setenv("DATABITS_READ_ONLY", "true")
    assert (Settings().toolsets, Settings().read_only) == (["all"], True)


@anyio
@pytest.mark.parametrize("role", ["viewer", "labeler", "reviewer", "engineer", "admin"])
async def test_what_a_role_may_not_run_is_neither_listed_nor_found(
    workbench: Workbench, role: Role
) -> None:
    server = build_server(workbench, lambda _: Actor("eve", role, "mcp"))
    eve = Actor("eve", role, "mcp")
    async with Client(server) as client:
        listed = await names(client)
        assert listed == {
            op.name for op in CATALOGUE.values() if eve.covers(op.role) and not op.people_only
        }
        found = await client.call_tool("search_tools", {"query": "import files", "limit": 20})
        refused = await client.call_tool("run_tool", {"name": "import_files", "arguments": {}})
        direct = await client.call_tool("import_files", {})
    assert found.structured_content is not None
    assert {tool["name"] for tool in found.structured_content["tools"]} <= listed
    assert text(refused) == text(direct)
    assert ("needs the role engineer" in text(direct)) == ("import_files" not in listed)


@anyio
async def test_a_grant_on_one_databit_shows_its_tools_to_a_token(
    workbench: Workbench, grow: Grow
) -> None:
    grow(1)
    add_account(workbench, "bea", "viewer")
    secret = add_token(workbench, "bea", "admin")
    async with served(workbench) as http:
        async with connected(http, secret, "2026-07-28") as client:
            assert "approve_labels" not in await names(client)
        run(workbench, "grant_role", person="bea", role="reviewer", databit="support")
        async with connected(http, secret, "2026-07-28") as client:  # the first one keeps its list
            assert "approve_labels" in await names(client)


@anyio
async def test_headers_narrow_what_a_token_allows_and_never_widen_it(
    workbench: Workbench, era: str
) -> None:
    add_account(workbench, "bea", "admin")
    narrow = add_token(workbench, "bea", toolsets=["curate", "train"])
    async with served(workbench) as http:
        for headers, seen in (
            ({}, of("curate", "train")),
            ({"x-mcp-toolsets": "train"}, of("train")),
            ({"x-mcp-toolsets": "all"}, of("curate", "train")),
            ({"x-mcp-toolsets": "core"}, CORE & of("curate", "train") | LONG_TAIL),
            ({"x-mcp-toolsets": "train, deploy"}, of("train")),
            ({"x-mcp-toolsets": "deploy"}, set(ALWAYS)),
            (
                {"x-mcp-toolsets": "train", "x-mcp-readonly": "true"},
                {n for n in of("train") if CATALOGUE[n].effect == "read"},
            ),
        ):
            http.headers = {**headers}  # type: ignore[assignment]
            async with connected(http, narrow, era) as client:
                assert await names(client) == seen, headers
                refused = await client.call_tool("deploy_model", {"model": "m"})
                assert "not in this token's toolsets" in text(refused), headers


@anyio
async def test_headers_choose_without_a_token_and_an_unknown_name_teaches(
    workbench: Workbench, era: str
) -> None:
    async with served(workbench) as http:
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        async with Client(transport, mode=era) as client:
            assert await names(client) == CORE | LONG_TAIL
            http.headers["x-mcp-readonly"] = "1"
            refused = await client.call_tool("create_databit", NEW)
            assert "X-MCP-Readonly" in text(refused)
            http.headers["x-mcp-readonly"] = "false"
            assert not (await client.call_tool("create_databit", NEW)).is_error
            http.headers["x-mcp-toolsets"] = "labels"
            with pytest.raises(MCPError, match="Toolsets are core"):
                await client.call_tool("list_databits", {})
            with pytest.raises(MCPError, match="Toolsets are core"):
                await client.session.list_tools()
