"""A question asked by one server is answered at another of the same workspace, and nowhere else."""

import json
import secrets
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.request_state import AESGCMRequestStateCodec
from mcp.types import CallToolResult, ElicitResult, InputRequiredResult

from databits.settings import Settings
from databits.workbench import Workbench, connect
from mcp_server.auth import identify_local, local_actor
from mcp_server.sealing import FILE, keys_in, sealed_by
from mcp_server.server import build_server
from tests.databases import NewDatabase
from tests.mcp_server.conftest import Grow
from tests.mcp_server.test_confirm import LABEL_ALL, undecided

pytestmark = pytest.mark.anyio
YES = ElicitResult(action="accept", content={"approve": True})
KEYS = "DATABITS_QUESTION_KEYS"


def client_of(workbench: Workbench, settings: Settings | None = None) -> Client:
    """A client of a server of its own, as another process would be."""
    settings = settings or workbench.settings
    return asking(build_server(workbench, identify_local(settings), sealing=sealed_by(settings)))


def asking(target: Any) -> Client:
    async def unasked(_: Any, __: Any) -> ElicitResult:
        raise AssertionError("the question is the call's result")

    return Client(target, mode="2026-07-28", elicitation_callback=unasked)


async def ask(client: Client, **arguments: Any) -> InputRequiredResult:
    asked = await client.session.call_tool(
        "bulk_label", LABEL_ALL | arguments, allow_input_required=True
    )
    assert isinstance(asked, InputRequiredResult)
    return asked


async def answer(
    client: Client, asked: InputRequiredResult, state: str | None = None, **arguments: Any
) -> CallToolResult:
    answers = {}
    for key, question in (asked.input_requests or {}).items():
        shown = question.params.requested_schema["properties"]["plan"]["default"]  # type: ignore[union-attr]
        answers[key] = ElicitResult(action="accept", content={"approve": True, "plan": shown})
    done = await client.session.call_tool(
        "bulk_label",
        LABEL_ALL | arguments,
        input_responses=answers,
        request_state=state or asked.request_state,
        allow_input_required=True,
    )
    assert isinstance(done, CallToolResult)
    return done


async def test_an_answer_counts_at_another_server_of_the_workspace(
    workbench: Workbench, grow: Grow
) -> None:
    grow(3)
    async with client_of(workbench) as first, client_of(workbench) as second:
        done = await answer(second, await ask(first))
    assert not done.is_error, done.content
    assert undecided(workbench) == 0


async def test_without_the_workspaces_key_it_does_not(
    workbench: Workbench, settings: Settings, grow: Grow, tmp_path: Path
) -> None:
    grow(3)
    elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})
    async with client_of(workbench) as first, client_of(workbench, elsewhere) as stranger:
        with pytest.raises(MCPError, match="Invalid or expired requestState"):
            await answer(stranger, await ask(first))
    assert undecided(workbench) == 3


async def test_a_state_that_was_changed_is_late_or_belongs_to_another_call_is_refused(
    workbench: Workbench, settings: Settings, grow: Grow
) -> None:
    grow(3)
    codec = AESGCMRequestStateCodec(keys_in(settings.home))

    def claiming(state: str, **claims: Any) -> str:
        return codec.seal(json.dumps(json.loads(codec.unseal(state)) | claims).encode())

    async with client_of(workbench) as client:
        asked = await ask(client)
        state = asked.request_state
        assert state is not None
        middle = len(state) // 2
        flipped = "A" if state[middle] != "A" else "B"
        for wrong in (
            state[:middle] + flipped + state[middle + 1 :],
            state[:-8],
            "v1.AAAA",
            claiming(state, exp=time.time() - 1),
            claiming(state, iat=time.time() + 3600),
            claiming(state, t="deploy_model"),
            claiming(state, aud="another-server"),
        ):
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await answer(client, asked, wrong)
        with pytest.raises(MCPError, match="Invalid or expired requestState"):
            await answer(client, asked, state, to="billing")
        assert undecided(workbench) == 3
        assert not (await answer(client, asked)).is_error, "the state as it was given is good"
    assert undecided(workbench) == 0


async def test_rotated_keys_open_what_the_older_one_sealed(
    workbench: Workbench, settings: Settings, grow: Grow
) -> None:
    grow(3)
    file = settings.home / FILE
    async with client_of(workbench) as client:
        asked = await ask(client)
        old = file.read_text()
        file.write_text(f"{secrets.token_hex(32)}\n{old}")
        assert not (await answer(client, asked)).is_error
        grow(2)
        asked = await ask(client)
        file.write_text(old)
        with pytest.raises(MCPError, match="Invalid or expired requestState"):
            await answer(client, asked)


async def test_the_key_is_made_with_the_first_question_and_for_its_owner_only(
    workbench: Workbench, settings: Settings, grow: Grow
) -> None:
    grow(2)
    async with client_of(workbench) as client:
        await client.list_tools()
        await client.call_tool("list_items", {"databit": "support"})
        assert not (settings.home / FILE).exists()
        await ask(client)
    assert stat.S_IMODE((settings.home / FILE).stat().st_mode) == 0o600
    assert [len(key) for key in keys_in(settings.home)] == [64]


def test_processes_that_make_the_key_at_once_agree_on_one(tmp_path: Path) -> None:
    found: list[list[str]] = []
    together = threading.Barrier(8)

    def look() -> None:
        together.wait()
        found.append(keys_in(tmp_path / "home"))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({tuple(keys) for keys in found}) == 1
    assert [path.name for path in (tmp_path / "home").iterdir()] == [FILE]


def test_a_key_that_is_too_short_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS, '["short"]')
    with pytest.raises(ValueError, match="at least 32"):
        Settings()


SERVE = """
import sys, contextlib, socket, uvicorn
from starlette.applications import Starlette
from databits.settings import Settings
from databits.workbench import connect
from mcp_server.http import http_app

settings = Settings()
_, routes, lifespan = http_app(connect(settings), settings, stateless=True)

@contextlib.asynccontextmanager
async def life(app):
    async with lifespan():
        yield

listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
app = Starlette(routes=list(routes), lifespan=life)
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])
"""


@contextmanager
def served(home: Path, url: str, keys: list[str]) -> Iterator[str]:
    """A server process of its own; its URL."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "DATABITS_HOME": str(home),
        "DATABITS_DATABASE_URL": url,
        "DATABITS_USER": "ana",
        KEYS: json.dumps(keys),
    }
    home.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE], env=environment, cwd=home, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
    finally:
        process.terminate()
        process.wait(timeout=120)
        process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("machines", ["one folder", "two folders and a setting"])
async def test_two_server_processes_over_postgresql_share_their_questions(
    new_postgres: NewDatabase, tmp_path: Path, machines: str
) -> None:
    url = new_postgres()
    settings = Settings(home=tmp_path / "a", user="ana", database_url=url)
    workbench = connect(settings)
    me = local_actor(settings, "test")
    (tmp_path / "tickets.csv").write_text("text\n" + "\n".join(f"ticket {n}" for n in range(5)))
    workbench.run("create_databit", {"name": "support", "labels": ["billing", "bug"]}, me)
    workbench.run("import_files", {"path": str(tmp_path / "tickets.csv")}, me)
    workbench.run("queue_items", {"databit": "support"}, me)
    alone = machines == "one folder"
    keys = [] if alone else [secrets.token_hex(32)]
    with ExitStack() as stack:
        first = stack.enter_context(served(tmp_path / "a", url, keys))
        second = stack.enter_context(served(tmp_path / ("a" if alone else "b"), url, keys))
        async with httpx2.AsyncClient() as http:
            async with asking(streamable_http_client(first, http_client=http)) as client:
                asked = await ask(client)
            async with asking(streamable_http_client(second, http_client=http)) as client:
                assert asked.request_state is not None
                with pytest.raises(MCPError, match="Invalid or expired requestState"):
                    await answer(client, asked, asked.request_state[:-4] + "AAAA")
                assert undecided(workbench) == 5
                done = await answer(client, asked)
    assert not done.is_error, done.content
    assert undecided(workbench) == 0
    workbench.database.close()
