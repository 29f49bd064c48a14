"""Hostile items, imported for real, on every surface: data as it was, and nothing else happens.

After each walk the workspace is what it was before: nothing that a text says was done.
"""

import html
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.types import TextContent, TextResourceContents

from databits.readers.content import normalise_text
from databits.store.tables import audit, changes, plans, runs
from mcp_server.auth import identify_local
from mcp_server.server import build_server
from mcp_server.tools.data.get_records import SHOWN
from tests.hostile import MARK, TEXTS, hidden, write

if TYPE_CHECKING:
    from tests.conftest import Desk

STORED = [normalise_text(text) for text in TEXTS]
COUNT = len(TEXTS)


@pytest.fixture
def hostile(desk: "Desk", tmp_path: Path) -> Iterator["Desk"]:
    """The texts in the queue of the Databit `hostile`; item n is text n. Reading changes nothing."""
    imported = desk("import_files", path=str(write(tmp_path)))
    assert (imported.added, imported.skipped) == (COUNT, 0)
    desk("create_databit", name="hostile", labels=["good", "bad"])
    desk("queue_items", databit="hostile", source="hostile")
    before = desk.state()
    counted = [len(desk.rows(table)) for table in (changes, plans, runs)]
    yield desk
    assert desk.state() == before
    assert [len(desk.rows(table)) for table in (changes, plans, runs)] == counted


def test_what_is_stored_is_the_text_and_a_reader_gets_it_exactly(hostile: "Desk") -> None:
    found = hostile("list_items", databit="hostile", limit=200).rows
    assert [item.text for item in found] == STORED
    assert all(MARK in text for text in STORED)
    assert any(hidden(text) for text in STORED), "zero-width and bidi characters are kept as data"


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
async def test_over_mcp_each_text_is_quoted_on_its_line_and_exact_in_the_structure(
    hostile: "Desk", era: str
) -> None:
    server = build_server(hostile.workbench, identify_local(hostile.workbench.settings))
    async with Client(server, mode=era) as client:
        listed = await client.call_tool("list_items", {"databit": "hostile", "limit": 200})
        records = await client.call_tool("get_records", {"limit": 200})
        details = [await client.call_tool("get_item", {"item": n + 1}) for n in range(COUNT)]
        pages = [await client.read_resource(f"item://{n + 1}") for n in range(COUNT)]
    cut = [text if len(text) <= SHOWN else f"{text[:SHOWN]} …" for text in STORED]
    for page, stored in ((listed, STORED), (records, cut)):
        assert page.structured_content is not None
        assert [row["text"] for row in page.structured_content["rows"]] == stored
        heading, *lines = said(page).split("\n")
        assert not hidden("".join(lines))
        rows = [json.loads(line) for line in lines[:COUNT]]
        at = heading.removeprefix("rows (").removesuffix("):").split(", ").index("text!")
        assert [row[at] for row in rows] == stored
        assert lines[COUNT] == f"total: {COUNT}"
        assert len(lines) == COUNT + 1, "no text has made a line of its own"
    for text, found, page in zip(STORED, details, pages, strict=True):
        assert found.structured_content is not None
        assert found.structured_content["record"]["text"] == text
        assert not hidden(said(found))
        starts = [line.partition(":")[0] for line in said(found).split("\n")]
        assert starts[:4] == ["id", "databit", "state", "text!"]
        assert {"change_id", "Not allowed", "next"}.isdisjoint(starts)
        contents = page.contents[0]
        assert isinstance(contents, TextResourceContents)
        assert json.loads(contents.text)["text"] == text
        assert not hidden(contents.text)


def said(result: Any) -> str:
    assert not result.is_error
    [block] = result.content
    assert isinstance(block, TextContent)
    return block.text


def test_on_a_terminal_nothing_obeys_and_nothing_hides(
    hostile: "Desk", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ui.cli import main

    home = hostile.workbench.settings.home
    hostile.workbench.ownership.release()
    monkeypatch.setenv("DATABITS_HOME", str(home))
    monkeypatch.setenv("DATABITS_USER", "ana")
    monkeypatch.chdir(home)
    for words in (
        ["list_items", "--databit", "hostile", "--limit", "200"],
        ["get_records", "--limit", "200"],
        ["get_item", "--item", "20"],
        ["list_sources"],
    ):
        assert main(words) == 0
        assert not hidden(capsys.readouterr().out, besides="\n")
        assert main([*words, "--json"]) == 0
        told = capsys.readouterr().out
        assert not hidden(told, besides="\n")
        assert json.loads(told)
    assert main(["get_databit", "--databit", "\x1b[2J\u202e"]) == 1
    assert not hidden(capsys.readouterr().err, besides="\n")


@pytest.mark.slow
@pytest.mark.anyio
async def test_in_the_chat_a_text_is_no_markup_no_link_and_no_request(hostile: "Desk") -> None:
    from tests.agent.talk import chatting

    async with chatting(hostile.workbench) as chat:
        for asked in ("list the items of hostile", *(f"show item {n + 1}" for n in range(COUNT))):
            answer = await chat.say(asked)
            assert not hidden(answer)
            shown = html.unescape(answer) if "<" in answer else answer
            assert shown == answer, "no tag is left open"
            for live in ("<script", "<img", "<svg", "<iframe", "](", "://", "javascript:window"):
                assert live not in answer.replace("\\]", "]").replace("\\(", "(") or live in (
                    "](",
                    "javascript:window",
                ), answer[:300]
        assert {name for name, _ in chat.calls} <= {"get_item", "list_items"}
        assert not chat.asked


def test_the_audit_log_holds_no_text(hostile: "Desk") -> None:
    events = json.dumps([dict(row, at=0) for row in hostile.rows(audit)])
    assert MARK not in events


def test_every_text_that_a_person_types_is_refused_or_kept_as_data(hostile: "Desk") -> None:
    for text in (t for t in STORED if len(t) < SHOWN):
        found = hostile("list_items", databit="hostile", contains=text[:60])
        assert found.total >= 1
        assert all(text[:60].casefold() in item.text.casefold() for item in found.rows)


def test_an_evidence_pack_holds_the_texts_exactly_when_asked_and_anybody_can_check_it(
    desk: "Desk", tmp_path: Path
) -> None:
    desk("import_files", path=str(write(tmp_path)))
    desk("create_databit", name="hostile", labels=["good", "bad"])
    desk("queue_items", databit="hostile", source="hostile")
    for label, first in (("good", 1), ("bad", 2)):
        desk(
            "correct_labels", databit="hostile", items=list(range(first, COUNT + 1, 2)), label=label
        )
    desk("assemble_dataset", databit="hostile")
    for texts in (False, True):
        made = desk("export_evidence", asset="dataset:hostile@1", texts=texts)
        folder = tmp_path / f"pack-{texts}"
        with zipfile.ZipFile(made.path) as pack:
            assert all("/" not in name and ".." not in name for name in pack.namelist())
            pack.extractall(folder)
        done = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                folder / "verify_evidence.py",
                folder,
                made.manifest_sha256,
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={},
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not hidden(done.stdout)
        assert MARK not in done.stdout
        lines = (folder / "records.jsonl").read_bytes().splitlines()
        held = [json.loads(line).get("text") for line in lines]
        assert len(held) == COUNT, "no text has made a line of its own"
        assert held == (STORED if texts else [None] * COUNT)
