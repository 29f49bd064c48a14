"""From process start to the first `tools/list` on stdio, beside a server of the bare SDK.

    python -m benchmarks.startup [--rounds 5]

It is the part `start` of benchmarks.mcp, alone.

Both are started by turns as fresh processes and asked the same three messages; the best round of
each counts, because everything else on the machine only adds to it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.http_load import cpu_of

BARE = """
from mcp.server import MCPServer
server = MCPServer("bare", log_level="CRITICAL")
@server.tool()
def noop(x: int = 0) -> int:
    return x
server.run()
"""
_HELLO = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "benchmark", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}},
]


class Start(NamedTuple):
    """The best of some starts."""

    seconds: float
    cpu: float
    """Seconds of processor of the server's process, to the hundredth; 0 where it is not told."""
    tools: int


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        floor, product = measure(home, rounds)
    print(
        f"bare SDK {floor.seconds:.2f} s, databits mcp {product.seconds:.2f} s, "
        f"ratio {product.seconds / floor.seconds:.2f}; processor {floor.cpu:.2f} and {product.cpu:.2f} s, "
        f"ratio {product.cpu / (floor.cpu or 1):.2f}; tools {floor.tools} and {product.tools}"
    )


def measure(home: str, rounds: int) -> tuple[Start, Start]:
    """The bare server's best start, and ours."""
    ours = [str(Path(sys.executable).with_name("databits")), "mcp"]
    bare = [sys.executable, "-c", BARE]
    first(ours, home), first(bare, home)  # warms the bytecode caches
    pairs = [(first(bare, home), first(ours, home)) for _ in range(rounds)]
    return _best([floor for floor, _ in pairs]), _best([product for _, product in pairs])


def _best(starts: list[Start]) -> Start:
    return Start(min(s.seconds for s in starts), min(s.cpu for s in starts), starts[0].tools)


def first(command: list[str], home: str) -> Start:
    """Start a server and ask for its tools."""
    begun = time.perf_counter()
    server = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "DATABITS_HOME": home},
    )
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in _HELLO))
    server.stdin.flush()
    for line in server.stdout:
        reply = json.loads(line)
        if reply.get("id") == 2:
            seconds = time.perf_counter() - begun
            cpu = cpu_of(server.pid)
            server.kill()
            server.wait()
            return Start(seconds, cpu, len(reply["result"]["tools"]))
    raise SystemExit("the server ended before it listed its tools")


if __name__ == "__main__":
    main()
