"""The TypeScript SDK, versions 1 and 2, which most editors are built on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients import day
from tests.clients.conftest import COMMAND, Place
from tests.nodes import HERE, MODULES, NODE

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


class Lines:
    """A client in a Node process that is driven with lines of JSON; see tests/node/lines.mjs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked: list[str] = []

    async def tools(self) -> set[str]:
        return set((await self._say({}))["tools"])

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = await self._say({"tool": tool, "arguments": arguments})
        assert not answer.get("isError"), answer["content"]
        return dict(answer["structuredContent"])

    def asked(self) -> list[str]:
        """What the person at the client has been shown."""
        return self._asked

    async def _say(self, line: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        answer = await self._process.stdout.readline()
        assert answer, "the client ended; what it said stands on standard error"
        said: dict[str, Any] = json.loads(answer)
        self._asked = said["asked"]
        return said


@asynccontextmanager
async def connected(script: str, target: dict[str, Any]) -> AsyncIterator[Lines]:
    assert MODULES.exists(), "run make test, or npm ci in tests/node"
    process = await asyncio.create_subprocess_exec(
        NODE,
        script,
        json.dumps(target),
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert process.stdin is not None
    try:
        yield Lines(process)
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 120) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def started(place: Place, folder: Path) -> dict[str, Any]:
    """What a host is told of a server that it starts itself."""
    env = {name: value for name, value in place.environment.items() if name.startswith("DATABITS")}
    return {"command": str(COMMAND), "args": ["mcp"], "env": env, "cwd": str(folder)}


@pytest.mark.parametrize(
    ("databit", "script", "mode"),
    [
        ("ts_v1", "sdk_v1.mjs", None),
        ("ts_v2", "sdk_v2.mjs", "legacy"),
        ("ts_v2_modern", "sdk_v2.mjs", "auto"),
    ],
)
async def test_a_day_over_http_with_a_form(
    served: Place, databit: str, script: str, mode: str | None
) -> None:
    place = served._replace(databit=databit)
    async with connected(script, {"url": place.url, "asks": True, "mode": mode}) as client:
        await day.look(client.call, await client.tools(), place)
        await day.decide(client.call, place, asked=client.asked)
        await day.wait(client.call, place)
    spoken = "2026-07-28" if mode == "auto" else "2025-11-25"
    day.check(place, f"{databit[:5].replace('_', '-')} 1.0 (mcp {spoken})", asks=True)


@pytest.mark.parametrize("script", ["sdk_v1.mjs", "sdk_v2.mjs"])
async def test_a_day_over_stdio_without_forms(place: Place, tmp_path: Path, script: str) -> None:
    async with connected(script, started(place, tmp_path)) as client:
        await day.look(client.call, await client.tools(), place)
        await day.decide(client.call, place, asked=None)
        await day.wait(client.call, place)
    day.check(place, "ts-v", asks=False)
