"""Runs, executed by worker processes on this machine.

The queue is the table of runs itself: a run is queued in the very transaction that audits it, so
none can be lost between two systems. A worker claims a run with a lease, beats while it works and
ends when it has been idle for a while; whoever submits watches that there are workers for as long
as there are runs. The run of a worker that died is taken again from its start: runs write in one
commit at their end, so nothing is there twice.

A workspace has as many workers a machine as the settings say; each holds a numbered file lock,
which the operating system frees on any death.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

from sqlalchemy.exc import OperationalError

from databits.errors import Conflict
from databits.heartbeat import GRACE_S, LEASE_US, is_dead, worker_name
from databits.operation import load_catalogue
from databits.platforms.embedded.slots import held, slot
from databits.running import backoff_us, limits_of
from databits.settings import Settings
from databits.store import Store
from databits.workbench import Workbench, connect

log = logging.getLogger("databits.worker")
IDLE_SECONDS = 300.0
LOOK_SECONDS = 0.5
_OUT_OF_REACH = 30  # failures of the database in a row before a worker ends


class Workers:
    """Starts worker processes while there are runs for them."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._started: list[subprocess.Popen[bytes]] = []
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._watch: threading.Thread | None = None
        self._not_before = 0.0
        self._pause = LOOK_SECONDS

    def submit(self, run_id: int) -> None:
        with self._guard:
            if not self._alive():
                self._start()
        self.wake()

    def wake(self) -> None:
        """Watch over the runs, those too that an earlier process left."""
        with self._guard:
            if self._watch is None and not self._over.is_set():
                self._watch = threading.Thread(
                    target=self._look_after, name="databits-workers", daemon=True
                )
                self._watch.start()

    def rest(self) -> None:
        """Look after the runs no more; the workers go on."""
        self._over.set()
        watch = self._watch
        if watch is not None:
            watch.join(timeout=5)

    def close(self) -> None:
        """Stop the workers that this process started; a run that takes long goes back to the queue."""
        self.rest()
        for worker in self._started:
            worker.terminate()
        for worker in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(timeout=30)

    def _look_after(self) -> None:
        """Until no run is open: free the runs of the dead, and start workers where they are missing."""
        failing = False
        while not self._over.is_set():
            try:
                with self._guard:
                    if not self._look():
                        self._watch = None
                        return
                failing = False
            except Conflict:  # a workspace that can not be opened here, which no waiting changes
                with self._guard:
                    self._watch = None
                return
            except Exception:
                if not failing:  # once for each time that the database is away
                    log.warning("could not look after the runs", exc_info=True)
                failing = True
            self._over.wait(LOOK_SECONDS)

    def _look(self) -> bool:
        """One look; whether there is reason for another."""
        database, settings = self._workbench.database, self._workbench.settings
        if not database.read(lambda store: store.runs.has_open()):
            return False
        _free_the_dead(self._workbench)
        limits = limits_of(settings)
        missing = database.read(lambda s: s.runs.waiting(limits)) and (
            self._alive() < settings.workers
        )
        if missing and time.monotonic() >= self._not_before:
            self._start()
        return True

    def _alive(self) -> int:
        """How many workers this workspace has here, those included that are just starting."""
        settings = self._workbench.settings
        alive = [worker for worker in self._started if worker.poll() is None]
        return max(held(settings.home, settings.workers), len(alive))

    def _start(self) -> None:
        # One that ends badly at once is not started over and over without a pause.
        ended_badly = bool(self._started and self._started[-1].poll())
        self._pause = min(self._pause * 2, 60.0) if ended_badly else LOOK_SECONDS
        self._not_before = time.monotonic() + self._pause
        settings = self._workbench.settings
        environment = {
            **os.environ,
            "DATABITS_HOME": str(settings.home.resolve()),
            "DATABITS_DATABASE_URL": settings.database_url,
            "DATABITS_THREADS": str(settings.threads),
            "DATABITS_WORKERS": str(settings.workers),
            "DATABITS_RUN_LIMITS": json.dumps(settings.run_limits),
            "DATABITS_RETRY_SECONDS": str(settings.retry_seconds),
        }
        settings.home.mkdir(parents=True, exist_ok=True)
        with (settings.home / "worker.log").open("ab") as out:
            # -P and our own beginning: no other folder hides the installed packages.
            worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "databits_workbench", "worker"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._started.append(worker)
        log.info("started worker %s", worker.pid)


class InThisProcess:
    """Executes a run before `submit` returns: for schedulers that give each run its own process."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def submit(self, run_id: int) -> None:
        work(self._workbench, idle_seconds=0)

    def wake(self) -> None:
        pass

    def rest(self) -> None:
        pass

    def close(self) -> None:
        pass


def work(
    workbench: Workbench, *, idle_seconds: float = IDLE_SECONDS, stop: threading.Event | None = None
) -> int:
    """Execute runs until there has been none for `idle_seconds`; returns how many.

    A run that waits for another attempt is one. Where as many workers work already as the settings
    allow, it returns 0 at once.
    """
    executed = 0
    stop = stop or threading.Event()
    settings = workbench.settings
    limits = limits_of(settings)
    while True:
        with slot(settings.home, settings.workers, patience=2.0) as mine:
            if not mine:
                return executed
            executed += _serve(workbench, idle_seconds, stop)
        # A run may have come in while this worker still held its slot but had stopped to look.
        if stop.is_set() or not workbench.database.read(lambda s: s.runs.waiting(limits)):
            return executed


def _serve(workbench: Workbench, idle_seconds: float, stop: threading.Event) -> int:
    """Execute what comes until nothing has come for a while."""
    name, failures, looked = worker_name(), 0, 0.0
    executed, idle_since = 0, time.monotonic()
    while not stop.is_set():
        try:
            if not looked or time.monotonic() - looked >= 2:
                looked = time.monotonic()
                _free_the_dead(workbench)
            run_id = _claim(workbench, name)
            failures = 0
            if run_id is not None:
                workbench.execute(run_id, name, stop)
                executed, idle_since = executed + 1, time.monotonic()
                continue
            idle = time.monotonic() - idle_since >= idle_seconds
            if idle and not workbench.database.read(lambda s: s.runs.has_open("queued")):
                break
        except OperationalError:
            failures += 1
            log.warning("the database is out of reach", exc_info=True)
            if failures >= _OUT_OF_REACH:
                raise
            stop.wait(1)
        stop.wait(0.1)
    return executed


def _claim(workbench: Workbench, name: str) -> int | None:
    """Take the next run that is due."""
    database, limits = workbench.database, limits_of(workbench.settings)
    if not database.read(lambda store: store.runs.waiting(limits)):
        return None
    row = database.write(lambda store: store.runs.take(name, LEASE_US, limits))
    return None if row is None else int(row.id)


def _free_the_dead(workbench: Workbench) -> None:
    """Put back into the queue what workers were at that are certainly gone."""
    dead = [name for name in workbench.database.read(lambda s: s.runs.workers()) if is_dead(name)]
    if not dead:
        return

    def free(store: Store) -> int:
        return store.runs.free(dead, lambda begun: backoff_us(workbench.settings, begun))

    log.warning("freed %s runs of workers that died", workbench.database.write(free))


def work_until_stopped(workbench: Workbench, idle_seconds: float = IDLE_SECONDS) -> int:
    """`work`, in a process of its own: SIGTERM and Ctrl+C end it within ten seconds.

    The work is done in a thread, because Python tells only the main one of a signal, and that one
    only between two of its own steps; a computation may be one long step.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    done: list[int] = []
    worker = threading.Thread(
        target=lambda: done.append(work(workbench, idle_seconds=idle_seconds, stop=stop)),
        daemon=True,
    )
    worker.start()
    while worker.is_alive() and not stop.is_set():
        worker.join(0.2)
    worker.join(GRACE_S + 2)
    if worker.is_alive():
        log.warning("stopped in the middle of a run, which was given back")
        logging.shutdown()
        os._exit(0)
    if not done:
        raise SystemExit(1)  # the thread has written why
    return done[0]


def main(idle_seconds: float = IDLE_SECONDS) -> None:
    """What `databits worker` does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    load_catalogue()
    workbench = connect(Settings())
    log.info("executed %s runs", work_until_stopped(workbench, idle_seconds))
    workbench.close()
