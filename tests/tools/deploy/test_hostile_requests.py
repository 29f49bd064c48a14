"""Hostile texts asked of an endpoint: answered as any other, logged exactly, and nothing else happens."""

import json
from typing import TYPE_CHECKING

import pytest
from mcp import Client
from mcp.types import TextContent

from databits.readers.content import normalise_text
from databits.store.tables import change_rows, items, labels, plans, requests, runs
from mcp_server.auth import identify_local
from mcp_server.server import build_server
from tests.hostile import TEXTS, hidden

if TYPE_CHECKING:
    from tests.conftest import Desk

ASKED = [text for text in map(normalise_text, TEXTS) if 0 < len(text) < 100_000]


@pytest.mark.slow
@pytest.mark.anyio
async def test_an_endpoint_takes_hostile_texts_for_texts(production: "Desk") -> None:
    desk = production
    kept = {table.name: desk.rows(table) for table in (items, labels, plans, runs, change_rows)}
    before = len(desk.rows(requests))
    server = build_server(desk.workbench, identify_local(desk.workbench.settings))
    async with Client(server) as client:
        for tool, asked in (
            ("query_endpoint", {"endpoint": "desk", "texts": ASKED}),
            ("query_metrics", {"endpoint": "desk"}),
            ("query_drift", {"endpoint": "desk"}),
        ):
            found = await client.call_tool(tool, asked)
            [block] = found.content
            assert isinstance(block, TextContent)
            assert not found.is_error, block.text
            assert not hidden(block.text), tool
            if tool == "query_endpoint":
                assert found.structured_content is not None
                answers = found.structured_content["answers"]
                known = {label.name for label in desk("get_databit", databit="support").body.labels}
                assert len(answers) == len(ASKED)
                assert {answer["label"] for answer in answers} <= known
    logged = desk.rows(requests)[before:]
    assert [row["text"] for row in logged] == ASKED, json.dumps(logged[:2], default=str)
    assert {
        table.name: desk.rows(table) for table in (items, labels, plans, runs, change_rows)
    } == kept
