"""What the README tells people to paste into their editors works as it stands there."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest
from httpx2 import AsyncClient
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.accounts import add_account, add_token
from tests.conftest import MakeDesk
from tests.package.conftest import ROOT, Installed, tools_of
from tests.ui.test_app import free_port
from tests.ui.test_up import answers, up

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHECKOUT = "/absolute/path/.venv/bin/databits"
HTTP = "http://127.0.0.1:8765/mcp"
EDITORS = 4  # Claude Code, Claude Desktop and Cursor, VS Code, Codex


def snippets() -> Iterator[dict[str, Any]]:
    """How each host that the README names is told to reach the server."""
    section = README.partition("## Wire it into your editor")[2].partition("\n## ")[0]
    for kind, text in re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL):
        if kind == "bash":
            yield from (_claude(shlex.split(line)) for line in text.splitlines())
        elif kind == "json":
            (servers,) = json.loads(text).values()
            yield servers["databits"]
        else:
            yield tomllib.loads(text)["mcp_servers"]["databits"]


def _claude(words: list[str]) -> dict[str, Any]:
    assert words[:3] == ["claude", "mcp", "add"]
    if "--" in words:
        command, *args = words[words.index("--") + 1 :]
        return {"command": command, "args": args}
    assert words[3:6] == ["--transport", "http", "databits"]
    name, _, value = words[words.index("--header") + 1].partition(": ")
    return {"url": words[6], "headers": {name: value}}


def test_every_editor_has_one_for_stdio_and_one_for_http() -> None:
    found = list(snippets())
    assert [s["command"] for s in found if "command" in s] == [CHECKOUT] * EDITORS
    assert [s["url"] for s in found if "url" in s] == [HTTP] * EDITORS


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_commands_serve_the_tools(installed: Installed, tmp_path: Path) -> None:
    commands = [(CHECKOUT, s["args"]) for s in snippets() if "command" in s]
    (indexed,) = re.findall(r"`uvx ([^`]*)`", README.partition("## Wire it")[2])
    program, *words = indexed.split()
    ways = {(Path(command).name, *args) for command, args in commands} | {(program, *words)}
    for command, *args in ways:
        # uvx runs the package's command of that name from an environment that it has made.
        assert "get_pipeline" in await tools_of(installed.bin / command, args, cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_addresses_let_in_who_shows_the_token(
    tmp_path: Path, open_desk: MakeDesk
) -> None:
    with _served(tmp_path, open_desk) as (url, secret):
        for snippet in [s for s in snippets() if "url" in s]:
            said = {**snippet.get("headers", {}), **snippet.get("http_headers", {})}
            assert said == {"Authorization": "Bearer dbw_TOKEN"}
            headers = {name: value.replace("dbw_TOKEN", secret) for name, value in said.items()}
            async with AsyncClient(headers=headers) as http:
                transport = streamable_http_client(url, http_client=http)
                async with Client(transport) as client:
                    assert len((await client.list_tools()).tools) > 10
        assert httpx.post(url, json={}, headers=said).status_code == 401


@contextmanager
def _served(tmp_path: Path, open_desk: MakeDesk) -> Iterator[tuple[str, str]]:
    """The address of `databits up`, for other machines, and a token that it lets in."""
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    desk = open_desk(home)
    add_account(desk.workbench, "bea")
    secret = add_token(desk.workbench, "bea")
    desk.workbench.database.close()
    process: Popen[str] = up(home, port)
    try:
        assert answers(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}/mcp", secret
    finally:
        process.terminate()
        process.wait(timeout=120)
