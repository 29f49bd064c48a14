"""A private PostgreSQL server that writes through to the disk, for as long as a benchmark runs."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OPTIONS = ("fsync=on", "synchronous_commit=on", "max_connections=300", "shared_buffers=256MB")


def programs() -> Path | None:
    """The folder of a PostgreSQL server's programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start a server in a temporary folder; yields `databits@127.0.0.1:PORT`, stops it afterwards.

    Raises:
        SystemExit: when PostgreSQL is not installed.
    """
    binaries = programs()
    if binaries is None:
        raise SystemExit("PostgreSQL is not installed; leave it out with --databases sqlite")
    folder = Path(tempfile.mkdtemp(prefix="databits-bench-pg-"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        who = {"user": "postgres"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **who}
    data, port = str(folder / "data"), _free_port()
    initdb = [str(binaries / "initdb"), "-D", data, "-U", "databits", "-A", "trust"]
    subprocess.run([*initdb, "-E", "UTF8", "--locale=C"], check=True, **quiet)
    running = subprocess.Popen(
        [str(binaries / "postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1"]
        + ["-k", str(folder)]
        + [part for option in _OPTIONS for part in ("-c", option)],
        **quiet,
    )
    try:
        ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
        for _ in range(200):
            if subprocess.run(ready, check=False, **quiet).returncode == 0:
                break
            time.sleep(0.05)
        yield f"databits@127.0.0.1:{port}"
    finally:
        running.send_signal(signal.SIGINT)  # at once, whoever is still connected
        running.wait(timeout=60)
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
