"""Cards: resources beside tools that are there anyway; who has no use for them gets what he always got."""

import re

import pytest
from mcp import Client
from mcp.client import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID

from databits.operation import CATALOGUE
from mcp_server.apps import CARDS, page
from tests.mcp_server.conftest import Connect, Grow

pytestmark = pytest.mark.anyio
SUPPORT = advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})
FILES = [card.file for card in CARDS]


async def offered(client: Client) -> dict[str, str]:
    """Tools with a card, and which."""
    tools = (await client.list_tools()).tools
    return {t.name: t.meta["ui"]["resourceUri"] for t in tools if t.meta and "ui" in t.meta}


async def test_every_card_of_a_tool_can_be_read(connect: Connect, era: str) -> None:
    async with connect(era) as client:
        shown = await offered(client)
        assert shown == {tool: card.uri for card in CARDS for tool in card.tools}
        assert set(shown) <= set(CATALOGUE), "no tool is there for a card alone"
        for uri in set(shown.values()):
            (found,) = (await client.read_resource(uri)).contents
            assert found.mime_type == APP_MIME_TYPE
            assert found.meta == {"ui": {"csp": {}, "prefersBorder": True}}
            assert found.text.startswith("<!doctype html>")


async def test_the_server_says_that_it_has_cards(connect: Connect) -> None:
    async with connect("auto") as client:
        assert EXTENSION_ID in (client.server_capabilities.extensions or {})


async def test_a_server_without_a_tool_has_no_card_of_it(connect: Connect) -> None:
    async with connect(read_only=True) as client:
        assert "claim_items" not in await offered(client)
        names = [found.name for found in (await client.list_resources()).resources]
        assert "review" not in names


async def test_what_a_card_calls_is_listed_for_it_alone(connect: Connect, era: str) -> None:
    async with connect(era, toolsets=["core"]) as client:
        usual = {tool.name for tool in (await client.list_tools()).tools}
    async with connect(era, extensions=[SUPPORT], toolsets=["core"]) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        done = await client.call_tool("queue_status", {"databit": "none"})
    further = set(tools) - usual
    assert further == {"skip_items", "release_items", "get_item", "queue_status", "get_databit"}
    assert all(tools[name].meta["ui"] == {"visibility": ["app"]} for name in further)
    assert all("visibility" not in (tools[name].meta or {}).get("ui", {}) for name in usual)
    assert {name for card in CARDS for name in card.calls} <= set(tools)
    assert "Not found" in done.content[0].text, "it is called like any other"


async def test_a_card_gets_no_tool_that_its_caller_has_not(connect: Connect) -> None:
    async with connect(extensions=[SUPPORT], toolsets=["core"], read_only=True) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert not names & {"skip_items", "release_items", "get_item"}, "no claims, so no review"


async def test_hosts_with_and_without_cards_get_the_same_result(
    connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    said = []
    for extensions in ([], [SUPPORT]):
        async with connect(era, extensions=extensions) as client:
            found = await client.call_tool("claim_items", {"databit": "support", "count": 2})
            said.append((found.content, found.structured_content["items"]))
    assert "ticket 0" in said[0][0][0].text
    assert said[0][1] == said[1][1]


@pytest.mark.parametrize("file", FILES)
def test_a_card_is_small_and_asks_nobody(file: str) -> None:
    text = page(file)
    assert len(text.encode()) <= 15 * 1024
    assert "default-src 'none'" in text
    assert "/* view" not in text, "the shared parts are in"
    for banned in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch("):
        assert banned not in text
    assert not re.search(r"(https?:)?//[a-z]|\bimport\b|<link|<img|\bsrc=|url\(", text)
    assert not re.search(r"<[^>]*\son[a-z]+=", text), "handlers are set by the script"
    assert not re.search(r"<[a-z][^>]*\sstyle=", text), "and styles by the style sheet"
