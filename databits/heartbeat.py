"""A worker's sign of life for the run it executes."""

import contextlib
import hashlib
import logging
import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from databits.errors import Cancelled, Conflict, DatabitsError
from databits.store import Store
from databits.store.database import Database
from databits.store.shapes import now

log = logging.getLogger("databits.worker")
LEASE_US = 60_000_000  # a worker that says nothing for a minute is taken for dead
BEAT_S = 0.5
GRACE_S = 5.0  # what a run may go on for when its worker is told to stop
_KEPT = 500  # lines a beat


class Heartbeat:
    """Keeps a run's lease alive from a thread, and carries its progress, its log and its cost.

    The thread also ends the run where it must: when somebody cancelled it, and when the worker was
    told to stop and the run has not finished within `GRACE_S`. What the operation still computes
    then is lost: its commit is refused, and so is its next word about progress.
    """

    def __init__(
        self,
        database: Database,
        run: Row[Any],
        cancelled: Callable[[DatabitsError], None],
        stop: threading.Event | None = None,
    ) -> None:
        """Args:
        run: The row as it is since it was taken.
        cancelled: Ends the run as cancelled.
        stop: Set when the worker is to stop.
        """
        self._database, self._run, self._cancelled = database, run, cancelled
        self._stop = stop or threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name=f"databits-run-{run.id}", daemon=True
        )
        self._guard = threading.Lock()
        self._said: dict[str, Any] = {}
        self._lines: list[tuple[int, str]] = []
        self._last = ""
        self._end: DatabitsError | None = None
        self._given_back = 0
        self._began, self._cpu = time.monotonic(), _cpu_s()

    def progress(self, done: float, message: str) -> None:
        if self._end is not None:
            raise self._end
        with self._guard:
            self._said = {"progress": done, "message": message}
            if message != self._last:
                self._last = message
                self._lines.append((now(), message))
                if len(self._lines) > _KEPT:
                    del self._lines[_KEPT // 2]

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        lines, cost = list(self._lines), self.cost()

        def write(store: Store) -> None:
            store.runs.note(self._run.id, lines)
            if store.runs.raw(self._run.id).attempts == self._run.attempts:
                store.runs.set(self._run.id, cost=cost)

        with contextlib.suppress(Exception):  # a log that is short of a line fails no run
            self._database.write(write)

    def cost(self) -> dict[str, Any]:
        """Seconds by the clock and of the processor, of all attempts so far."""
        before = self._run.cost or {}
        return {
            "wall_s": round(before.get("wall_s", 0) + time.monotonic() - self._began, 3),
            "cpu_s": round(before.get("cpu_s", 0) + _cpu_s() - self._cpu, 3),
            "given_back": before.get("given_back", 0) + self._given_back,
        }

    def _work(self) -> None:
        until: float | None = None
        while not self._over.wait(BEAT_S) and self._end is None:
            if until is None and self._stop.is_set():
                until = time.monotonic() + GRACE_S
            try:
                if until is not None and time.monotonic() >= until:
                    self._give_back()
                else:
                    self._beat()
            except Exception:  # the database is out of reach; the lease outlasts a short while
                log.warning("run %s could not be prolonged", self._run.id, exc_info=True)

    def _beat(self) -> None:
        with self._guard:
            lines, said = list(self._lines), dict(self._said)
        cost = self.cost()

        def write(store: Store) -> int | None:
            cancel = store.runs.beat(self._run.id, self._run.attempts, LEASE_US, cost=cost, **said)
            if cancel is not None:
                store.runs.note(self._run.id, lines)
            return cancel

        cancel = self._database.write(write)
        with self._guard:
            del self._lines[: len(lines)]
        if cancel is None:
            self._end = Conflict("The run has ended, or another worker has it; get_run shows it.")
        elif cancel:
            self._end = Cancelled("The run was cancelled; nothing was changed.")
            self._cancelled(self._end)

    def _give_back(self) -> None:
        """Leave the run to the next worker; the attempt does not count."""
        self._given_back = 1
        cost = self.cost()

        def write(store: Store) -> None:
            words = "its worker was stopped; the next one begins again"
            if store.runs.leave(
                self._run.id, self._run.attempts, state="queued", message=words, cost=cost
            ):
                store.runs.note(self._run.id, [(now(), "its worker was stopped")])

        self._database.write(write)
        self._end = Conflict("The worker was stopped; the run waits for the next one.")


def worker_name() -> str:
    """This process, so that others on this machine can tell whether it still lives."""
    return f"{_here()}:{os.getpid()}:{_start_of(os.getpid())}"


def is_dead(worker: str) -> bool:
    """Whether that process is certainly gone; of another machine's nothing is certain."""
    place, _, rest = worker.rpartition(":")
    place, _, pid = place.rpartition(":")
    if place != _here() or not pid.isdigit():
        return False
    return _start_of(int(pid)) != rest


def _here() -> str:
    """This machine since it was started, and the processes that can see each other on it."""
    parts = [os.uname().nodename]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return f"{parts[0][:30]}-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:8]}"


def _start_of(pid: int) -> str:
    """When a process was started, in its machine's ticks; empty when there is none.

    Where there is no /proc, all there are were started at 0.
    """
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            return "0"
        return "0"
    try:
        # The name, in brackets, may hold anything.
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = told.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


def _cpu_s() -> float:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
