"""From process start to the first `tools/list` on stdio, beside a server of the bare SDK.

    python -m benchmarks.startup [--rounds 5]

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

_BARE = """
from mcp.server import MCPServer
server = MCPServer("bare")
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ours = [str(Path(sys.executable).with_name("databits")), "mcp"]
    bare = [sys.executable, "-c", _BARE]
    with tempfile.TemporaryDirectory() as home:
        first(ours, home), first(bare, home)  # warms the bytecode caches
        pairs = [(first(bare, home), first(ours, home)) for _ in range(rounds)]
    floor, product = min(p[0][0] for p in pairs), min(p[1][0] for p in pairs)
    print(f"bare SDK {floor:.2f} s, databits mcp {product:.2f} s, ratio {product / floor:.2f}")
    print(f"tools: {pairs[0][0][1]} and {pairs[0][1][1]}")


def first(command: list[str], home: str) -> tuple[float, int]:
    """(seconds until the list of tools, how many tools)."""
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
            server.kill()
            server.wait()
            return seconds, len(reply["result"]["tools"])
    raise SystemExit("the server ended before it listed its tools")


if __name__ == "__main__":
    main()
