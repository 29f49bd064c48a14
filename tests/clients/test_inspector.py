"""The Inspector's command line: a call a process, and its check that schemas suit every host."""

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import anyio.to_thread
import pytest

from mcp_server.apps import CARDS
from tests.clients import day
from tests.clients.conftest import COMMAND, Place
from tests.nodes import node, package

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
INSPECTOR = package("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")


async def inspect(*words: str | Path) -> "CompletedProcess[str]":
    patient = ("--connect-timeout", "240000")  # its own 15 s are few for a start on a busy machine
    return await anyio.to_thread.run_sync(lambda: node(INSPECTOR, "--cli", *words, *patient))


def started(place: Place) -> list[str | Path]:
    env = place.environment.items()
    settings = [f"{name}={value}" for name, value in env if name.startswith("DATABITS")]
    return [COMMAND, "mcp", *(word for said in settings for word in ("-e", said))]


@pytest.mark.parametrize("over", ["http", "stdio"])
async def test_every_schema_suits_every_host(served: Place, place: Place, over: str) -> None:
    target = [served.url] if over == "http" else started(place)
    listed = await inspect(*target, "--method", "tools/list", "--strict")
    assert listed.returncode == 0, listed.stderr
    assert len(json.loads(listed.stdout)["tools"]) >= len(day.NEEDED)


async def test_it_finds_the_cards_and_their_tools(served: Place) -> None:
    listed = await inspect(served.url, "--method", "tools/list", "--app-info")
    assert listed.returncode == 0, listed.stderr
    told = [json.loads(line) for line in listed.stdout.splitlines()]
    shown = {app["toolName"]: app for app in told if app["hasApp"]}
    assert {name: app["resourceUri"] for name, app in shown.items()} == {
        tool: card.uri for card in CARDS for tool in card.tools
    }
    assert all(app["csp"] == {} for app in shown.values()), "no origin is asked for"


async def test_a_day_over_http_a_process_a_call(served: Place) -> None:
    place = served._replace(databit="inspector")

    async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        said = [word for k, v in arguments.items() for word in ("--tool-arg", f"{k}={v}")]
        called = await inspect(place.url, "--method", "tools/call", "--tool-name", name, *said)
        assert called.returncode == 0, called.stderr
        return dict(json.loads(called.stdout)["structuredContent"])

    listed = await inspect(place.url, "--method", "tools/list")
    tools = {tool["name"] for tool in json.loads(listed.stdout)["tools"]}
    await day.look(call, tools, place)
    await day.decide(call, place, asked=None)
    await day.wait(call, place)
    day.check(place, "inspector", asks=False)
