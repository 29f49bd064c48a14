"""Calls over MCP beside a tool of the bare SDK that does nothing, and the start to the first list of tools.

    python -m benchmarks.mcp [--small] [--parts memory,stdio,http,start]

The product's tool reads the store: ten items of a queue of a thousand, through role, validation,
transaction and reply. Both servers are asked the same way, in the 2026-07-28 revision, by turns.
In memory and on stdio the client does not check the result against the tool's output schema, which
costs a Python client more than the server's whole part. Over HTTP it writes and reads bytes only
(`http_load.py`), so that the server is what is measured: `databits up` beside a bare server on the
same web server with the same settings.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from mcp import Client
from mcp.server import MCPServer
from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult

from benchmarks import startup
from benchmarks.http_load import call_bytes, drive, free_port, wait_until_idle, wait_until_up
from benchmarks.measure import Line, Pace, by_turns, machine, median, middle, share, table
from benchmarks.workspace import fill, suggest, workbench
from databits.settings import Settings
from mcp_server.auth import identify_local
from mcp_server.server import build_server

READ = ("list_items", {"databit": "support", "limit": 10})
NOTHING = ("noop", {"x": 1})
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
BARE_HTTP = """
import sys, uvicorn
from mcp.server import MCPServer
from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult
server = MCPServer("bare", log_level="WARNING")
@server.tool()
async def noop(x: int = 0) -> int:
    return x
app = server.streamable_http_app(streamable_http_path="/mcp")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""


class Sizes(NamedTuple):
    items: int = 1000
    calls: int = 500  # of one round, in memory and on stdio
    clients: tuple[int, ...] = (1, 8, 32)
    seconds: float = 4.0  # of one round, over HTTP
    rounds: int = 5


SMALL = Sizes(50, 20, (1, 4), 1.0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="tiny sizes: whether it runs")
    parser.add_argument("--parts", default=",".join(PARTS))
    asked = parser.parse_args()
    sizes = SMALL if asked.small else Sizes()
    with tempfile.TemporaryDirectory() as folder:
        print(machine(Path(folder)))
        home = prepared(Path(folder), sizes)
        print(table([line for part in asked.parts.split(",") for line in PARTS[part](home, sizes)]))


def prepared(folder: Path, sizes: Sizes) -> Path:
    """A workspace with items that have suggestions."""
    home = folder / "home"
    with workbench("", home) as bench:
        fill(bench, "support", sizes.items)
        suggest(bench, "support")
    return home


def in_memory(home: Path, sizes: Sizes) -> list[Line]:
    """What a call takes without any transport, and what ours adds to one that does nothing."""
    with workbench("", home) as bench:
        identify = identify_local(Settings(home=home))
        ours, bare = build_server(bench, identify), bare_server()

        def round_of(server: Any, name: str, arguments: dict[str, Any]) -> list[float]:
            return anyio.run(_call_many, server, name, arguments, sizes.calls)

        low, high = by_turns(
            sizes.rounds, lambda: round_of(bare, *NOTHING), lambda: round_of(ours, *READ)
        )
    floor, product = _p50_ms(low), _p50_ms(high)
    return [
        Line("a call in memory, p50", "", floor, product, "ms"),
        Line("… added to it", "", None, product - floor, "ms", cap=2.0),
    ]


def bare_server() -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("bare", log_level="WARNING")

    @server.tool()
    async def noop(x: int = 0) -> int:
        return x

    return server


async def _call_many(server: Any, name: str, arguments: dict[str, Any], calls: int) -> list[float]:
    asked = CallToolRequest(params=CallToolRequestParams(name=name, arguments=arguments))
    times = []
    async with Client(server, mode="2026-07-28") as client:
        for _ in range(calls + calls // 10):
            begun = time.perf_counter()
            done = await client.session.send_request(asked, CallToolResult)
            times.append(time.perf_counter() - begun)
            if done.is_error:
                raise RuntimeError(str(done.content))
    return times[-calls:]


def on_stdio(home: Path, sizes: Sizes) -> list[Line]:
    """The same call as a line on standard input, and its answer as one on standard output."""
    ours = [str(Path(sys.executable).with_name("databits")), "mcp"]
    bare = [sys.executable, "-c", startup.BARE]
    with _spoken_to(ours, home) as product, _spoken_to(bare, home) as floor:
        low, high = by_turns(
            sizes.rounds,
            lambda: [floor(*NOTHING) for _ in range(sizes.calls)],
            lambda: [product(*READ) for _ in range(sizes.calls)],
        )
    return [Line("a call on stdio, p50", "", _p50_ms(low), _p50_ms(high), "ms")]


@contextmanager
def _spoken_to(command: Sequence[str], home: Path) -> Iterator[Callable[..., float]]:
    """A server process, as a function that calls a tool and tells the seconds."""
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(home)
    )
    assert server.stdin is not None
    assert server.stdout is not None
    said, heard = server.stdin, server.stdout

    def call(name: str, arguments: dict[str, Any]) -> float:
        begun = time.perf_counter()
        params = {"name": name, "arguments": arguments, "_meta": META}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        said.write(json.dumps(message).encode() + b"\n")
        said.flush()
        answer = json.loads(heard.readline())
        if "error" in answer or answer["result"].get("isError"):
            raise RuntimeError(str(answer))
        return time.perf_counter() - begun

    try:
        for tool in (READ, NOTHING):  # one of them is there; the first call opens the store
            try:
                call(*tool)
            except RuntimeError:
                continue
        yield call
    finally:
        server.stdin.close()
        server.wait(timeout=60)


def over_http(home: Path, sizes: Sizes) -> list[Line]:
    """Calls a second by clients that never pause, each on a connection of its own."""
    ports = [free_port(), free_port()]
    commands = [
        [sys.executable, "-c", BARE_HTTP, str(ports[0])],
        [str(Path(sys.executable).with_name("databits")), "up", "--port", str(ports[1])],
    ]
    servers = [
        subprocess.Popen(command, env=_environment(home), stdout=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        for port, server in zip(ports, servers, strict=True):
            wait_until_up(port, server)
        calls = [
            call_bytes(port, name, said, META)
            for port, (name, said) in zip(ports, (NOTHING, READ), strict=True)
        ]

        def one(n: int, clients: int) -> Pace:
            return drive(ports[n], calls[n], clients, sizes.seconds, servers[n].pid)

        for n in range(2):
            wait_until_idle(servers[n].pid)
            one(n, 1)  # the first call opens the store
        lines = []
        for clients in sizes.clients:
            low, high = by_turns(
                sizes.rounds, lambda c=clients: one(0, c), lambda c=clients: one(1, c)
            )
            lines.append(_throughput(clients, middle(low), middle(high)))
        return lines
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(timeout=60)


def _throughput(clients: int, floor: Pace, product: Pace) -> Line:
    return Line(
        f"calls over HTTP, {clients} clients",
        "",
        floor.rate,
        product.rate,
        "calls/s",
        least=0.6 if clients >= 32 else None,
        notes=f"p50/p95/server cpu ms: floor {floor.said()}, product {product.said()}",
    )


def start(home: Path, sizes: Sizes) -> list[Line]:
    """From the start of the process to the first list of tools."""
    floor, product = startup.measure(str(home), sizes.rounds)
    return [
        Line(
            "start to the first list of tools",
            "",
            floor.seconds,
            product.seconds,
            "s",
            most=1.5,
            notes=f"cpu s: floor {floor.cpu:.2f}, product {product.cpu:.2f}",
        ),
    ]


PARTS: dict[str, Callable[[Path, Sizes], list[Line]]] = {
    "memory": in_memory,
    "stdio": on_stdio,
    "http": over_http,
    "start": start,
}


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DATABITS_HOME": str(home)}


def _p50_ms(rounds: Sequence[Sequence[float]]) -> float:
    return median(share(times, 0.5) for times in rounds) * 1e3


if __name__ == "__main__":
    main()
