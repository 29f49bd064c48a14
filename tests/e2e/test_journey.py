"""Files in, a monitored endpoint out: by chat, by a client that is not ours, by commands."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport

from databits.platforms.embedded import Embedded
from databits.settings import Settings
from tests.e2e import journey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
COMMAND = str(Path(sys.executable).with_name("databits"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A workspace folder whose worker is stopped afterwards."""
    folder = tmp_path / "home"
    yield folder
    mine = f"DATABITS_HOME={folder}".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # somebody else's, or ended by now
            if mine in environ.read_bytes().split(b"\0"):
                os.kill(int(environ.parent.name), signal.SIGTERM)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DATABITS_HOME": str(home), "DATABITS_USER": "ana"}


def test_by_chat_the_demo_goes_through_all_stages(home: Path) -> None:
    done = subprocess.run(
        [COMMAND, "demo", "--no-serve", "--home", str(home)],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=1100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    workbench = Embedded(Settings(home=home, user="ana"))
    read = workbench.database.read
    assert read(lambda store: store.records.count()) > 400
    assert read(lambda store: store.models.refs()) == ["support@1"]
    result = read(lambda store: store.models.evaluation(store.models.raw("support").id))
    assert result is not None
    assert result["accuracy"]["value"] > 0.75
    assert read(lambda store: store.endpoints.get("support")).requests > 100
    target = read(lambda store: store.databits.get("support"))
    assert read(lambda store: store.feedback.count_candidates(target.databit_id)) > 0
    plans = read(lambda store: store.plans.page(None, 0, 10))
    assert {p.operation for p in plans} == {"bulk_label", "launch_fine_tune", "deploy_model"}
    assert {p.state for p in plans} == {"executed"}
    assert all(p.decided_by == "ana" for p in plans)
    events = read(lambda store: list(store.audit.events()))
    by_agent = {e.operation for e in events if e.client == "databits-agent" and e.outcome == "ok"}
    assert by_agent >= {"import_files", "create_databit", "queue_items", "bulk_label"}
    assert not any(e.operation == "decide_approval" for e in events if e.client == "databits-agent")
    assert read(lambda store: store.audit.first_broken())[1] is None
    workbench.database.close()


async def approve(message: str, response_type: Any, params: Any, context: Any) -> Any:
    """The person in front of the foreign client: says yes to the plan that was shown."""
    fields = params.requested_schema["properties"]
    content = {
        n: True if f.get("type") == "boolean" else f["default"]
        for n, f in fields.items()
        if f.get("type") == "boolean" or "default" in f
    }
    return ElicitResult(action="accept", content=content)


def calls(client: Client[Any]) -> journey.Call:
    async def call(name: str, /, **arguments: Any) -> dict[str, Any]:
        result = (await client.call_tool(name, arguments)).structured_content
        assert result is not None
        if "plan" in result and "run" in result:  # a consequential operation: one of three
            assert result["plan"] is None, "the client was asked and said yes"
            result = result["run"] or result["result"]
        while result.get("state") in ("queued", "running") and "operation" in result:
            result = (
                await client.call_tool("get_run", {"run": result["id"], "wait_s": 20})
            ).structured_content
        if "operation" in result and "progress" in result:
            assert result["state"] == "succeeded", result["error"]
            result = result["result"]
        return dict(result)

    return call


def test_by_a_foreign_client_over_stdio(home: Path, tmp_path: Path) -> None:
    transport = StdioTransport(COMMAND, ["mcp"], env=environment(home))

    async def talk() -> None:
        async with Client(transport, elicitation_handler=approve) as client:
            await journey.take(calls(client), journey.write_sample(tmp_path))

    asyncio.run(talk())


def test_by_a_foreign_client_over_http(home: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([COMMAND, "up", "--port", str(port)], env=environment(home))
    try:
        _wait_until_up(port, server)

        async def talk() -> None:
            url = f"http://127.0.0.1:{port}/mcp"
            async with Client(url, elicitation_handler=approve) as client:
                await journey.take(calls(client), journey.write_sample(tmp_path))

        asyncio.run(talk())
        body = json.dumps({"dataframe_records": [{"text": "I was charged twice"}]}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/serving-endpoints/support/invocations",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=240) as response:
            answer = json.load(response)
        assert len(answer["predictions"]) == 1
    finally:
        server.terminate()
        server.wait(timeout=120)


def test_by_commands(home: Path, tmp_path: Path) -> None:
    async def call(name: str, /, **arguments: Any) -> dict[str, Any]:
        words = [COMMAND, name, "--json"]
        for key, value in arguments.items():
            said = json.dumps(value) if isinstance(value, list) else str(value)
            words += [f"--{key.replace('_', '-')}", said]
        if name in ("bulk_label", "launch_fine_tune", "deploy_model"):
            words.append("--yes")
        done = subprocess.run(
            words, env=environment(home), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        return dict(result["result"] if result.get("state") == "succeeded" else result)

    asyncio.run(journey.take(call, journey.write_sample(tmp_path)))


def _wait_until_up(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not come up")
