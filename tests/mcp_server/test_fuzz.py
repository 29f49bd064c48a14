"""Ten thousand calls of every tool with whatever its schema takes and does not take.

Whatever comes in, a call ends in a result that the tool's output schema describes or in a refusal that
begins with its kind; nothing of the program's inside is told, and a refused call has changed nothing.
"""

import contextlib
import hashlib
import json
import math
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import jsonschema
import pytest
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.types import CallToolResult, Tool
from starlette.applications import Starlette

from databits.errors import DatabitsError
from databits.operation import CATALOGUE, load_catalogue
from databits.store.tables import metadata
from mcp_server.auth import identify_local
from mcp_server.http import http_app
from mcp_server.server import build_server
from tests.conftest import TICKETS
from tests.fuzzing import arguments_of

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

load_catalogue()
OPERATIONS = sorted(name for name, op in CATALOGUE.items() if not op.people_only)
LONG_TAIL = ["run_tool", "search_tools"]
"""Tools of servers that list only some of the others."""
NAMES = LONG_TAIL + OPERATIONS
CALLS = 10_000
OVER_HTTP = 300
PHRASES = tuple(f"{kind.phrase}: " for kind in [DatabitsError, *DatabitsError.__subclasses__()])
INSIDES = (
    "Traceback",
    "Error executing tool",
    "errors.pydantic",
    "pydantic",
    "site-packages",
    "sqlalchemy",
    "sqlite3",
    ".py",
    "object at 0x",
    "Exception",
)
# Events are of what was refused too; ids are taken and not given back; vectors are derived.
LOGS = {"audit", "counters", "vectors"}
quietly = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Bench(NamedTuple):
    """A workspace with something of everything, and a client of its server."""

    desk: "Desk"
    portal: BlockingPortal
    client: Client
    narrow: Client
    """Of a server that lists the core only."""
    tools: dict[str, Tool]
    known: dict[str, list[Any]]
    file: sqlite3.Connection
    """The store, as it is on disk."""

    def call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        try:
            client = self.narrow if name in LONG_TAIL else self.client
            return self.portal.call(client.call_tool, name, arguments)
        except UnicodeEncodeError:  # half a character that this client can not send; others can
            reject()

    def state(self) -> str:
        """A digest of every row that a call may change."""
        found = hashlib.sha256()
        for table in metadata.sorted_tables:
            if table.name not in LOGS:
                rows = self.file.execute(f"SELECT * FROM {table.name} ORDER BY 1").fetchall()
                found.update(repr((table.name, rows)).encode("utf-8", "surrogatepass"))
        return found.hexdigest()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, open_desk: "MakeDesk") -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("fuzz")
    desk = open_desk(folder / "home", roots=[folder / "inbox"])
    _fill(desk, folder / "inbox")
    known = {
        "databit": ["support"],
        "label": ["billing", "login", "shipping"],
        "item": [1, 2, 18],
        "items": [1, 2, 18],
        "source": ["tickets"],
        "dataset": ["support", "support@1"],
        "asset": ["databit:support@1.0.0", "item:1", "dataset:support@1", "source:tickets"],
        "path": ["tickets.csv", str(folder / "inbox"), str(folder / "inbox" / "tickets.csv")],
        "run": [1, 2],
        "change": [1, 2, 3, 9_999],
        "tool": OPERATIONS,
    }
    me = identify_local(desk.workbench.settings)
    client, narrow = (
        Client(build_server(desk.workbench, me, toolsets=chosen), mode="2026-07-28")
        for chosen in (["all"], ["core"])
    )
    file = sqlite3.connect(folder / "home" / "workbench.db", isolation_level=None)
    with (
        contextlib.closing(file),
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(client),
        portal.wrap_async_context_manager(narrow),
    ):
        tools = {
            tool.name: tool
            for one in (narrow, client)
            for tool in portal.call(one.list_tools).tools
        }
        yield Bench(desk, portal, client, narrow, tools, known, file)


def _fill(desk: "Desk", inbox: Path) -> None:
    inbox.mkdir()
    lines = ["text,topic", *(f'"{text}",{topic}' for text, topic in TICKETS)]
    (inbox / "tickets.csv").write_text("\n".join(lines) + "\n")
    desk("import_files", path=str(inbox / "tickets.csv"))
    desk("create_databit", name="support", labels=["billing", "login", "shipping"])
    desk("queue_items", databit="support", source="tickets")
    for label in ("billing", "login", "shipping"):
        ids = [n for n, (_, topic) in enumerate(TICKETS, 1) if topic == label][:4]
        desk("correct_labels", databit="support", items=ids, label=label)
    desk("assemble_dataset", databit="support")


def refused(found: CallToolResult, schema: dict[str, Any] | None) -> bool:
    """Whether a call was refused; either way it must have ended as a caller can understand."""
    text = "\n".join(part.text for part in found.content if part.type == "text")
    if not found.is_error:
        assert schema is not None
        jsonschema.validate(found.structured_content, schema)
        return False
    assert text.startswith(PHRASES), text
    for word in INSIDES:
        assert word not in text, text
    assert len(text) < 2_000, "an error is a sentence or two"
    return True


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_tool_is_called_with_it_answers_in_order(bench: Bench, name: str) -> None:
    tool = bench.tools[name]
    before = bench.state()

    @settings(quietly, max_examples=math.ceil(CALLS / len(NAMES)))
    @given(arguments_of(tool.input_schema, bench.known))
    def call(arguments: dict[str, Any]) -> None:
        nonlocal before
        if isinstance(arguments.get("wait_s"), int | float):
            arguments["wait_s"] = min(arguments["wait_s"], 0.01)  # for a run that nobody works on
        if not refused(bench.call(name, arguments), tool.output_schema):
            before = bench.state()
            return
        after = bench.state()
        unchanged, before = after == before, after
        assert unchanged, "a refused call has changed something"

    call()


@pytest.fixture(scope="module")
def http(bench: Bench) -> Iterator[httpx2.Client]:
    """The same server on a port."""
    every_tool = bench.desk.workbench.settings.model_copy(update={"toolsets": ["all"]})
    _, routes, lifespan = http_app(bench.desk.workbench, every_tool, stateless=True)

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        async with lifespan():
            yield

    app = Starlette(routes=list(routes), lifespan=life)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    accepts = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    with httpx2.Client(base_url=address, headers=accepts, timeout=120) as client:
        yield client
    server.should_exit = True
    thread.join(120)


def post(http: httpx2.Client, body: bytes) -> httpx2.Response:
    answer = http.post("/mcp", content=body)
    assert answer.status_code < 500, answer.text
    for word in INSIDES:
        assert word not in answer.text, answer.text
    return answer


@pytest.mark.slow
def test_over_http_whatever_a_tool_is_called_with_is_no_server_error(
    bench: Bench, http: httpx2.Client
) -> None:
    calls = st.sampled_from(OPERATIONS).flatmap(
        lambda name: st.tuples(
            st.just(name), arguments_of(bench.tools[name].input_schema, bench.known)
        )
    )

    @settings(quietly, max_examples=OVER_HTTP)
    @given(calls)
    def call(made: tuple[str, dict[str, Any]]) -> None:
        name, arguments = made
        before = bench.state()
        said = {"name": name, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": said}
        answer = post(http, json.dumps(body).encode())  # escapes half characters, as JSON can
        lines = (line.removeprefix("data: ") for line in answer.text.splitlines())
        found = json.loads(next(line for line in lines if line.startswith("{")))
        if "error" in found:
            assert found["error"]["code"] in (-32600, -32602, -32700), found
            assert bench.state() == before
        elif refused(
            CallToolResult.model_validate(found["result"]), bench.tools[name].output_schema
        ):
            assert bench.state() == before

    call()


MESSAGE = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_databits","arguments":%s}}'


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        MESSAGE % (b"[" * 50_000 + b"]" * 50_000),
        MESSAGE % (b'{"a":' * 2_000 + b"1" + b"}" * 2_000),
        MESSAGE % b"[]",
        MESSAGE % b'"text"',
        MESSAGE % b"1e999",
        MESSAGE % b'{"limit": NaN}',
        MESSAGE % b'{"limit": 1e400, "limit": 2}',
        MESSAGE.replace(b'"id":1', b'"id":{"a":1}') % b"{}",
        MESSAGE.replace(b"tools/call", b"tools/nothing") % b"{}",
        MESSAGE.replace(b"list_databits", b"\\u0000") % b"{}",
        MESSAGE.replace(b"list_databits", b"\\ud800") % b"{}",
        b"[" + MESSAGE % b"{}" + b"]",
    ],
    ids=range(19),
)
def test_over_http_what_is_no_message_is_no_server_error(
    bench: Bench, http: httpx2.Client, body: bytes
) -> None:
    before = bench.state()
    post(http, body)
    assert bench.state() == before
    assert post(http, MESSAGE % b"{}").status_code == 200, "it still answers"
