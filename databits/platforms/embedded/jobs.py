"""Runs, executed by worker processes on this machine.

The queue is the table of runs itself: a run is queued in the very transaction that audits it, so
none can be lost between two systems. A worker claims a run with a lease, beats while it works and
ends when it has been idle for a while; whoever submits makes sure that one is there. A worker that
dies leaves a lease that runs out, and the next one takes the run again from its start: runs write
in one commit at their end, so nothing is there twice.
"""

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from databits.heartbeat import LEASE_US
from databits.operation import load_catalogue
from databits.settings import Settings
from databits.workbench import Workbench, connect

log = logging.getLogger("databits.worker")
IDLE_SECONDS = 300.0


class Workers:
    """Starts a worker process when none works for this workspace."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._started: list[subprocess.Popen[bytes]] = []

    def submit(self, run_id: int) -> None:
        settings = self._workbench.settings
        if _working(settings.home):
            return
        environment = {
            **os.environ,
            "DATABITS_HOME": str(settings.home.resolve()),
            "DATABITS_DATABASE_URL": settings.database_url,
            "DATABITS_THREADS": str(settings.threads),
        }
        settings.home.mkdir(parents=True, exist_ok=True)
        with (settings.home / "worker.log").open("ab") as out:
            # -P: the current folder must not hide the installed packages.
            worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "databits.platforms.embedded.jobs"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._started.append(worker)
        log.info("started worker %s for run %s", worker.pid, run_id)

    def close(self) -> None:
        """Stop the workers that this process started, letting each finish its run's step."""
        for worker in self._started:
            worker.terminate()
        for worker in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(timeout=30)


class InThisProcess:
    """Executes a run before `submit` returns: for schedulers that give each run its own process."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def submit(self, run_id: int) -> None:
        work(self._workbench, idle_seconds=0)

    def close(self) -> None:
        pass


def work(
    workbench: Workbench, *, idle_seconds: float = IDLE_SECONDS, stop: threading.Event | None = None
) -> int:
    """Execute runs until there has been none for `idle_seconds`; returns how many.

    One worker works for a workspace at a time; a second one returns 0 at once.
    """
    executed = 0
    stop = stop or threading.Event()
    while True:
        with _lock(workbench.settings.home, patience=2.0) as mine:
            if not mine:
                return executed
            executed += _serve(workbench, idle_seconds, stop)
        # A run may have come in while this worker still held the lock but had stopped to look.
        if stop.is_set() or not workbench.database.read(lambda store: store.runs.waiting()):
            return executed


def _serve(workbench: Workbench, idle_seconds: float, stop: threading.Event) -> int:
    """Execute what comes until nothing has come for a while."""
    name = f"{os.uname().nodename}:{os.getpid()}"
    database = workbench.database
    executed, idle_since = 0, time.monotonic()
    database.write(lambda store: store.runs.orphan())
    while not stop.is_set():
        waiting = database.read(lambda store: store.runs.waiting())
        row = database.write(lambda store: store.runs.take(name, LEASE_US)) if waiting else None
        if row is None:
            if time.monotonic() - idle_since >= idle_seconds:
                break
            stop.wait(0.1)
            continue
        workbench.execute(row.id, name)
        executed, idle_since = executed + 1, time.monotonic()
    return executed


@contextlib.contextmanager
def _lock(home: Path, patience: float = 0.0) -> Iterator[bool]:
    """Whether this process is the workspace's worker; the operating system frees it on any death.

    `patience`: seconds to go on trying, because those who only look hold the lock for an instant.
    """
    home.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience
    with (home / "worker.lock").open("a", encoding="ascii") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= until:
                    yield False
                    return
                time.sleep(0.05)
        yield True


def _working(home: Path) -> bool:
    with _lock(home) as free:
        return not free


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    load_catalogue()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    workbench = connect(Settings())
    log.info("executed %s runs", work(workbench, stop=stop))


if __name__ == "__main__":
    # Load the module under its own name, so that there is one copy of it.
    from databits.platforms.embedded import jobs

    jobs.main()
