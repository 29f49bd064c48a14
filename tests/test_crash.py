"""kill -9 at any moment: what was acknowledged is there, what was not is there wholly or not at all.

Run as a script, this file is the victim: a workspace under load from four people, with a worker
beside them. As a test, it kills the victim, or a worker process, and looks at what is left.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from databits.actor import Actor
from databits.errors import DatabitsError
from databits.operation import load_catalogue
from databits.platforms.embedded import Embedded
from databits.platforms.embedded.jobs import work
from databits.settings import Settings
from databits.store.shapes import ENDED
from databits.store.tables import (
    audit,
    change_rows,
    changes,
    datasets,
    labels,
    models,
    runs,
    suggestions,
)
from databits.store.tables import items as items_table

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

SEED = int(os.environ.get("CRASH_SEED", "20261"))
KILLS, WORKER_KILLS = 14, 6
LABELS = ("billing", "login", "shipping")
Ack = dict[str, Any]


# --- the victim -----------------------------------------------------------------------------------


def acknowledge(**said: Any) -> None:
    """One line, in one system call: it is there as a whole or not at all."""
    os.write(1, (json.dumps(said) + "\n").encode())


class Victim:
    def __init__(self, seed: int) -> None:
        self.workbench = Embedded(Settings(user="ana"))
        self.workbench.jobs = self  # type: ignore[assignment]
        self.seed = seed

    def submit(self, run_id: int) -> None:
        """The worker is a thread of this process: it dies with it."""

    def call(self, actor: Actor, name: str, /, **arguments: Any) -> Any:
        result = self.workbench.run(name, arguments, actor)
        change = getattr(result, "change_id", 0)
        if change:
            acknowledge(change=change, operation=name, arguments=arguments)
        return result

    def prepare(self) -> None:
        """Forty more records in the queue: a change of many rows."""
        ana = Actor("ana", "admin", "test", person=True)
        path = self.workbench.settings.home / f"tickets-{self.seed}.csv"
        rows = [f"ticket {n} of round {self.seed} about {LABELS[n % 3]}" for n in range(40)]
        path.write_text("\n".join(["text", *rows]) + "\n", encoding="utf-8")
        self.call(ana, "import_files", path=str(path), source="tickets")
        with contextlib.suppress(DatabitsError):  # an earlier victim got that far
            self.call(ana, "create_databit", name="support", labels=list(LABELS))
        self.call(ana, "queue_items", databit="support", source="tickets")

    def decide(self, number: int) -> None:
        """One person: labels, takes back, skips, claims, until the end."""
        dice = random.Random(self.seed * 10 + number)
        me = Actor(f"person-{number}", "engineer", "test", person=True)
        mine: list[int] = []
        rows = self.workbench.database.read(lambda store: store.tx.rows(select(items_table.c.id)))
        items = [row.id for row in rows]
        while True:
            chosen = dice.sample(items, 3)
            act = dice.random()
            try:
                if act < 0.6:
                    label = dice.choice(LABELS)
                    done = self.call(
                        me, "correct_labels", databit="support", items=chosen, label=label
                    )
                    mine.append(done.change_id)
                elif act < 0.75 and mine:
                    self.call(me, "undo_change", change=mine.pop())
                elif act < 0.85:
                    self.call(me, "claim_items", databit="support", count=2)
                elif act < 0.95:
                    self.call(me, "reject_items", databit="support", items=chosen)
                else:
                    seed = dice.randrange(10**6)
                    asked = {"databit": "support", "seed": seed}
                    run = self.workbench.run("assemble_dataset", asked, me)
                    acknowledge(run=run.id)
            except DatabitsError:
                pass  # somebody else's claim, or later work: refused, as it should be

    def live(self) -> None:
        load_catalogue()
        self.prepare()
        for number in range(4):
            threading.Thread(target=self.decide, args=[number], daemon=True).start()
        work(self.workbench, idle_seconds=3600)


# --- the test -------------------------------------------------------------------------------------


def environment(home: Path, url: str) -> dict[str, str]:
    """What tells a process of its own which workspace to open."""
    return {**os.environ, "DATABITS_HOME": str(home), "DATABITS_DATABASE_URL": url}


def kill_a_victim(home: Path, url: str, seed: int, dice: random.Random) -> list[Ack]:
    """Let a victim work for a moment and kill it; returns what it had acknowledged."""
    victim = subprocess.Popen(
        [sys.executable, "-P", __file__, str(seed)],
        env=environment(home, url),
        stdout=subprocess.PIPE,
    )
    said: list[bytes] = []
    begun = threading.Event()

    def listen() -> None:
        assert victim.stdout is not None
        for line in victim.stdout:
            said.append(line)
            begun.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert begun.wait(120), "the victim never did anything"
    time.sleep(dice.choice((dice.uniform(0, 0.08), dice.uniform(0, 1.0))))
    victim.kill()
    victim.wait()
    listener.join()
    return [json.loads(line) for line in said if line.endswith(b"\n")]


def kill_a_worker(desk: "Desk", first: int, delay: float) -> None:
    """Let a worker process begin with a run and kill it a moment later."""
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "databits_workbench", "worker"],
        env=environment(desk.workbench.settings.home, desk.workbench.settings.url),
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if desk.workbench.database.read(lambda store: store.runs.raw(first)).state != "queued":
            break
        time.sleep(0.02)
    time.sleep(delay)
    worker.kill()
    worker.wait()


def check(desk: "Desk", acknowledged: list[Ack]) -> None:
    """Nothing acknowledged is lost, nothing is half there, and the record says so."""
    assert desk("verify_audit").intact
    desk.check_images()
    made = {row["id"]: row for row in desk.rows(changes)}
    on_record = Counter(row["change_id"] for row in desk.rows(audit) if row["change_id"])
    assert on_record == dict.fromkeys(made, 1), "every change has its one event"
    decided: dict[tuple[int, str], int] = Counter(
        (row["item_id"], row["label"]) for row in desk.rows(labels) if row["kind"] == "correct"
    )
    wanted: Counter[tuple[int, str]] = Counter()
    for said in acknowledged:
        if "run" in said:
            continue
        change = made[said["change"]]
        assert change["operation"] == said["operation"]
        if said["operation"] == "undo_change":
            assert change["undo_of"] == said["arguments"]["change"]
        if said["operation"] == "correct_labels" and change["state"] == "applied":
            wanted.update((i, said["arguments"]["label"]) for i in decided_by(desk, change["id"]))
    assert all(decided[place] >= n for place, n in wanted.items())
    known = {row["id"] for row in desk.rows(runs)}
    assert {said["run"] for said in acknowledged if "run" in said} <= known


def decided_by(desk: "Desk", change: int) -> list[int]:
    """Items whose decisions a change wrote, as its images say."""
    query = (
        select(labels.c.item_id)
        .join(
            change_rows,
            (change_rows.c.table_name == "labels") & (change_rows.c.row_id == labels.c.id),
        )
        .where(change_rows.c.change_id == change)
    )
    found = desk.workbench.database.read(lambda store: store.tx.rows(query))
    return [row.item_id for row in found]


def check_runs(desk: "Desk") -> None:
    """The next worker ends every run, each once."""
    work(desk.workbench, idle_seconds=0)
    rows = desk.rows(runs)
    assert {row["state"] for row in rows} <= set(ENDED)
    ended = Counter(
        row["run_id"]
        for row in desk.rows(audit)
        if row["run_id"] and row["outcome"] in ("ok", "failed", "cancelled")
    )
    assert ended == {row["id"]: 1 for row in rows}
    numbers = [row["number"] for row in desk.rows(datasets)]
    assert numbers == list(range(1, len(numbers) + 1))
    by_run = Counter(row["run_id"] for row in desk.rows(suggestions))
    for row in rows:
        if row["operation"] == "prelabel_items" and row["state"] == "succeeded":
            assert by_run[row["id"]] == row["result"]["suggested"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.both_databases
def test_after_kill_9_everything_acknowledged_is_there_and_nothing_is_half_done(
    tmp_path: Path, open_desk: "MakeDesk", database_url: str
) -> None:
    print(f"CRASH_SEED={SEED}")
    dice = random.Random(SEED)
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    acknowledged: list[Ack] = []
    rounds = ["victim", *dice.sample(["victim"] * (KILLS - 1) + ["worker"] * WORKER_KILLS, 19)]
    for number, kind in enumerate(rounds):
        if kind == "victim":
            acknowledged += kill_a_victim(home, database_url, number, dice)
        desk = open_desk(home, database_url=database_url)
        if kind == "worker":
            first = desk.workbench.run("prelabel_items", {"databit": "support"}, desk.actor)
            desk.workbench.run("assemble_dataset", {"databit": "support"}, desk.actor)
            kill_a_worker(desk, first.id, dice.uniform(0, 3))
        check(desk, acknowledged)
        check_runs(desk)
        check(desk, acknowledged)
        again = sum(row["attempts"] > 1 for row in desk.rows(runs))
        if not again and number + 1 == len(rounds) < 30:
            rounds.append("worker")  # they were too quick for the dice
        desk.workbench.database.close()
    print(
        f"{len(acknowledged)} acknowledged, {len(desk.rows(changes))} changes, {again} runs again"
    )
    assert len(acknowledged) > 100
    assert again > 0, "no kill met a run"


@pytest.mark.slow
@pytest.mark.both_databases
def test_a_training_that_was_killed_is_done_by_the_next_worker(labelled: "Desk") -> None:
    labelled("assemble_dataset", databit="support")
    asked = {"dataset": "support@1"}
    plan = labelled.workbench.propose("launch_fine_tune", asked, labelled.actor)
    labelled("decide_approval", plan=plan.id, approve=True)
    run = labelled.workbench.run("launch_fine_tune", asked, labelled.actor)
    delay = random.Random(SEED).uniform(0, 12)
    print(f"CRASH_SEED={SEED}: killed after {delay:.1f} s")
    kill_a_worker(labelled, run.id, delay)  # type: ignore[attr-defined]
    check_runs(labelled)
    row = labelled.rows(runs)[-1]
    assert row["state"] == "succeeded", row["error"]
    made = labelled.rows(models)
    assert [f"{model['name']}@{model['version']}" for model in made] == [row["result"]["model"]]
    labelled("deploy_model", model="support")
    answered = labelled("query_endpoint", endpoint="support", texts=["The invoice is wrong"])
    assert answered.answers[0].label == "billing"


START_MLFLOW = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from databits import tracking
from databits.settings import Settings

left = int(sys.argv[2])

@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

tracking.start(Settings(home=Path(sys.argv[1])))
print("started")
"""


@pytest.mark.slow
def test_a_kill_while_mlflow_makes_its_tables_costs_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    last = random.Random(SEED).randrange(10, 1_000)  # of some 1,700
    print(f"CRASH_SEED={SEED}: killed at statement {last}")

    def start(last: int) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-P", "-c", START_MLFLOW, str(home), str(last)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    first = start(last)
    assert first.returncode == -signal.SIGKILL, first.stderr
    assert list(home.glob("mlflow*.db")), "it was not at its tables yet"
    second = start(0)
    assert "started" in second.stdout, second.stderr


if __name__ == "__main__":
    Victim(int(sys.argv[1])).live()
