"""A client of HTTP that costs next to nothing: it sends prepared bytes and looks for the answer's end.

A real MCP client takes longer for a call than the server does, and would be what is measured.
"""

import asyncio
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import WARM, Pace

_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until_up(port: int, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the server did not come up")


def wait_until_idle(pid: int) -> None:
    """Until a server has loaded what it loads beside its first answers; a minute at most."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        before = cpu_of(pid)
        time.sleep(2)
        if cpu_of(pid) - before < 0.1:
            return


def call_bytes(
    port: int, tool: str, arguments: Mapping[str, Any], meta: Mapping[str, Any]
) -> bytes:
    """A call of a tool in the 2026-07-28 revision, as bytes to send."""
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
        f"Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return f"{head}{body}".encode()


def drive(port: int, call: bytes, clients: int, seconds: float, pid: int) -> Pace:
    """Connections that send the call again as soon as it is answered; `cpu` is the server's."""
    return asyncio.run(_drive(port, call, clients, seconds, pid))


async def _drive(port: int, call: bytes, clients: int, seconds: float, pid: int) -> Pace:
    start = time.monotonic() + WARM
    until = start + seconds
    ended: list[tuple[float, float]] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begun := time.monotonic()) < until:
            writer.write(call)
            await _answer(reader)
            ended.append((begun, time.monotonic()))
        writer.close()

    async def clock() -> float:
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        before = cpu_of(pid)
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        return cpu_of(pid) - before

    cpu, *_ = await asyncio.gather(clock(), *(client() for _ in range(clients)))
    counted = [end - begun for begun, end in ended if begun >= start and end <= until]
    return Pace(counted, seconds, cpu, len(ended))


async def _answer(reader: asyncio.StreamReader) -> None:
    """Read one answer to its end.

    Raises:
        RuntimeError: when it is no result.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body += await reader.readuntil(b"\r\n")
    else:
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200") or b'"isError":true' in body or b'"result"' not in body:
        raise RuntimeError(f"the server answered {body[:500]!r}")


def cpu_of(pid: int) -> float:
    """Seconds of processor that a process has taken so far; on Linux."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(told[11]) + int(told[12])) / _TICKS
