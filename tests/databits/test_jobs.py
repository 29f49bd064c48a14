"""Worker processes: started when there is work and nobody at it, replaced when they die, stopped in time."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import OperationalError

from databits.operation import CATALOGUE
from databits.platforms.embedded.jobs import Workers, work
from databits.platforms.embedded.slots import held, slot
from databits.store.shapes import ENDED
from databits.store.tables import audit, changes, runs, sources
from tests.databits import slow_work

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

pytestmark = pytest.mark.both_databases
Process = subprocess.Popen[bytes]
Start = Callable[..., Process]
SEED = int(os.environ.get("CRASH_SEED", "20261"))


def assemble(desk: "Desk", seed: int = 0) -> int:
    asked = {"databit": "support", "seed": seed}
    return int(desk.workbench.run("assemble_dataset", asked, desk.actor).id)


def ended(desk: "Desk", *run_ids: int, seconds: float = 240) -> list[str]:
    """The states of the runs, once they have all ended."""
    until = time.monotonic() + seconds
    while True:
        states = [row["state"] for row in desk.rows(runs) if row["id"] in run_ids]
        if set(states) <= set(ENDED) or time.monotonic() > until:
            return states
        time.sleep(0.05)


@pytest.fixture
def hold(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Queue a run of the operation that takes as long as it is told."""
    monkeypatch.setitem(CATALOGUE, "hold", slow_work.HOLD)

    def queue(name: str, seconds: float, **more: Any) -> int:
        asked = {"name": name, "seconds": seconds, **more}
        return int(desk.workbench.run("hold", asked, desk.actor).id)

    return queue


@pytest.fixture
def start_worker(desk: "Desk") -> Any:
    """Starts a worker process that knows that operation."""
    started: list[Process] = []

    def start(**settings: str) -> Process:
        here = desk.workbench.settings
        known = {
            "HOME": str(here.home),
            "DATABASE_URL": here.database_url,
            "RETRY_SECONDS": "0.05",
        }
        environment = {f"DATABITS_{name}": value for name, value in {**known, **settings}.items()}
        worker = subprocess.Popen(
            [sys.executable, "-P", slow_work.__file__],
            env={**os.environ, **environment},
            stderr=subprocess.DEVNULL,
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def in_work(desk: "Desk") -> Counter[str]:
    return Counter(row["operation"] for row in desk.rows(runs) if row["state"] == "running")


def until(true: Callable[[], Any], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def test_a_workspace_has_as_many_slots_as_the_settings_say(tmp_path: Path) -> None:
    assert held(tmp_path, 2) == 0
    with slot(tmp_path, 2) as first, slot(tmp_path, 2) as second, slot(tmp_path, 2) as third:
        assert (first, second, third) == (True, True, False)
        assert held(tmp_path, 2) == 2
    assert held(tmp_path, 2) == 0


@pytest.mark.slow
def test_submitting_starts_a_worker_process_and_a_second_run_uses_it(labelled: "Desk") -> None:
    workers = Workers(labelled.workbench)
    labelled.workbench.jobs = workers  # type: ignore[assignment]
    try:
        for seed in range(2):
            assert ended(labelled, assemble(labelled, seed))[-1] == "succeeded"
        assert len(workers._started) == 1
        assert work(labelled.workbench, idle_seconds=0) == 0, "the worker has the slot"
        assert (labelled.workbench.settings.home / "worker.log").exists()
    finally:
        workers.close()
    assert workers._started[0].poll() == 0


@pytest.mark.slow
def test_a_worker_that_was_killed_is_replaced_without_anybody_asking(labelled: "Desk") -> None:
    workers = Workers(labelled.workbench)
    labelled.workbench.jobs = workers  # type: ignore[assignment]
    try:
        run = assemble(labelled)
        workers._started[0].kill()
        workers._started[0].wait()
        assert ended(labelled, run) == ["succeeded"]
        assert len(workers._started) == 2
    finally:
        workers.close()


@pytest.mark.slow
def test_the_runs_that_a_process_left_are_worked_on_when_the_next_one_begins(
    labelled: "Desk",
) -> None:
    run = assemble(labelled)  # and the process ends
    workers = Workers(labelled.workbench)
    try:
        workers.wake()
        assert ended(labelled, run) == ["succeeded"]
    finally:
        workers.close()


def test_nobody_looks_on_when_no_run_is_open(desk: "Desk") -> None:
    workers = Workers(desk.workbench)
    workers.wake()
    watch = workers._watch
    if watch is not None:
        watch.join(timeout=120)
    assert workers._watch is None
    assert workers._started == []
    workers.close()


def test_a_database_that_is_away_is_looked_for_again_and_logged_once(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away = [OperationalError("SELECT", None, Exception("no connection"))] * 3

    def look() -> bool:
        if away:
            raise away.pop()
        return False

    workers = Workers(desk.workbench)
    monkeypatch.setattr(workers, "_look", look)
    monkeypatch.setattr("databits.platforms.embedded.jobs.LOOK_SECONDS", 0.01)
    workers.wake()
    watch = workers._watch
    assert watch is not None
    watch.join(timeout=120)
    assert away == []
    assert [record.message for record in caplog.records] == ["could not look after the runs"]
    workers.close()


@pytest.mark.slow
def test_three_workers_keep_to_the_limits(
    desk: "Desk", hold: Callable[..., int], start_worker: Start, tmp_path: Path
) -> None:
    gate = tmp_path / "go on"
    asked = [hold(f"s{n}", 240, gate=str(gate)) for n in range(8)]
    for _ in range(3):
        start_worker(WORKERS="3", RUN_LIMITS='{"hold": 2}')
    until(lambda: in_work(desk)["hold"] == 2 and held(desk.workbench.settings.home, 3) == 3)
    seen = Counter[int]()

    def look() -> bool:
        seen[in_work(desk)["hold"]] += 1
        return set(ended(desk, *asked, seconds=0)) <= set(ENDED)

    for _ in range(10):  # the third worker looks for work meanwhile
        assert not look()
        time.sleep(0.1)
    gate.touch()
    until(look)
    assert set(ended(desk, *asked)) == {"succeeded"}
    assert max(seen) == 2, "as many as may, and no more"
    assert len({row["name"] for row in desk.rows(sources)}) == 8


def at_work(desk: "Desk", workers: list[Process]) -> list[int]:
    """Which of the workers are in the middle of a run."""
    names = [str(row["worker"]) for row in desk.rows(runs) if row["state"] == "running"]
    return [n for n, worker in enumerate(workers) if any(f":{worker.pid}:" in x for x in names)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_after_kill_9_at_any_point_every_run_has_its_effect_once(
    desk: "Desk", hold: Callable[..., int], start_worker: Start
) -> None:
    print(f"CRASH_SEED={SEED}")
    dice = random.Random(SEED)
    asked = [hold(f"s{n}", 0.3) for n in range(10)]
    settings = {"WORKERS": "2", "RUN_LIMITS": "{}"}
    workers = [start_worker(**settings) for _ in range(2)]
    kills = 0
    end = time.monotonic() + 500
    while time.monotonic() < end:
        met = max(row["attempts"] for row in desk.rows(runs)) > 1
        if not set(ended(desk, *asked, seconds=0)) - set(ENDED):
            if kills >= 3 and met:
                break
            asked.append(hold(f"s{len(asked)}", 0.3))  # they were too quick for the dice
        time.sleep(dice.uniform(0.1, 1.2))
        number = dice.randrange(2)
        if kills < 12 and in_work(desk):
            workers[number].kill()
            kills += 1
        elif not met and (busy := at_work(desk, workers)):  # the dice have met idle ones alone
            number = busy[0]
            workers[number].kill()
        if workers[number].poll() is not None:
            workers[number].wait()
            workers[number] = start_worker(**settings)
    rows = desk.rows(runs)
    assert {row["state"] for row in rows} <= {"succeeded", "failed"}, "failed: killed three times"
    made = Counter(row["name"] for row in desk.rows(sources))
    assert made == {r["arguments"]["name"]: 1 for r in rows if r["state"] == "succeeded"}
    assert len(desk.rows(changes)) == len(made)
    last = Counter(row["run_id"] for row in desk.rows(audit) if row["outcome"] != "queued")
    assert {run: last[run] for run in asked} == dict.fromkeys(asked, 1)
    assert kills >= 3
    assert max(row["attempts"] for row in rows) > 1, "no kill met a run"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_gives_its_run_back_within_ten_seconds(
    desk: "Desk", hold: Callable[..., int], start_worker: Start, number: int
) -> None:
    run = hold("a", 240, silent=True)
    started = time.monotonic()
    worker = start_worker()
    until(lambda: in_work(desk))
    told = time.monotonic()
    worker.send_signal(number)
    assert worker.wait(timeout=200) == 0
    # On a slow machine by as much later as it took to start.
    assert time.monotonic() - told < 10 + (told - started)
    row = desk.rows(runs)[0]
    assert (row["state"], row["error"], row["worker"]) == ("queued", None, None)
    found: Any = desk.workbench.run("get_run", {"run": run}, desk.actor)
    assert found.attempts == 0, "an attempt that was given back does not count"


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_finishes_a_run_that_ends_soon(
    desk: "Desk", hold: Callable[..., int], start_worker: Start
) -> None:
    hold("a", 2)
    hold("b", 240, silent=True)
    worker = start_worker()
    until(lambda: in_work(desk))
    worker.terminate()
    assert worker.wait(timeout=200) == 0
    assert [row["state"] for row in desk.rows(runs)] == ["succeeded", "queued"]


@pytest.mark.slow
def test_a_worker_that_can_not_start_is_not_started_again_and_again(
    desk: "Desk", hold: Callable[..., int]
) -> None:
    broken = desk.workbench.settings.model_copy(update={"run_limits": {"curate": 1}, "threads": -1})
    desk.workbench.settings = broken  # the process refuses a negative number of threads
    hold("a", 0)
    workers = Workers(desk.workbench)
    try:
        begun = time.monotonic()
        workers.submit(1)
        until(lambda: len(workers._started) >= 3)
        time.sleep(3)
        started, seconds = len(workers._started), time.monotonic() - begun
        # The pauses double, from half a second: n starts take at least 0.5 · (2ⁿ⁻¹ - 1) seconds.
        assert 0.5 * (2 ** (started - 1) - 1) <= seconds
    finally:
        workers.close()


@pytest.mark.slow
def test_when_the_server_is_killed_the_next_one_goes_on_with_its_runs(
    tmp_path: Path, open_desk: "MakeDesk", labelled: "Desk"
) -> None:
    """The process that took the call dies at once, with kill -9; the runs are there and are done."""
    home, url = labelled.workbench.settings.home, labelled.workbench.settings.database_url
    labelled.workbench.database.close()
    code = """
import os, signal
from databits.actor import Actor
from databits.operation import load_catalogue
from databits.settings import Settings
from databits.workbench import connect
load_catalogue()
workbench = connect(Settings())
class Nobody:
    def submit(self, run_id): pass
workbench.jobs = Nobody()
ana = Actor("ana", "admin", "test", person=True)
run = workbench.run("assemble_dataset", {"databit": "support"}, ana, key="once")
os.write(1, b"%d" % run.id)
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "DATABITS_HOME": str(home), "DATABITS_DATABASE_URL": url}
    first = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, check=False
    )
    assert first.returncode == -signal.SIGKILL, first.stderr
    desk = open_desk(home, **({"database_url": url} if url else {}))
    workers = Workers(desk.workbench)
    desk.workbench.jobs = workers  # type: ignore[assignment]
    try:
        workers.wake()
        assert ended(desk, int(first.stdout)) == ["succeeded"]
        asked = {"databit": "support"}
        again: Any = desk.workbench.run("assemble_dataset", asked, desk.actor, key="once")
        assert again.id == int(first.stdout)
    finally:
        workers.close()
        with suppress(Exception):
            desk.workbench.database.close()


def test_two_workers_in_this_process_share_the_work(desk: "Desk", hold: Callable[..., int]) -> None:
    desk.workbench.settings = desk.workbench.settings.model_copy(update={"workers": 2})
    asked = [hold(f"s{n}", 0.1) for n in range(4)]
    executed: list[int] = []
    threads = [
        threading.Thread(target=lambda: executed.append(work(desk.workbench, idle_seconds=0)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended(desk, *asked) == ["succeeded"] * 4
    assert sum(executed) == 4
