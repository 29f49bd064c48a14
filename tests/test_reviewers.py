"""Fifty reviewers for a minute, on real servers, some of which are killed: nothing is lost or done twice.

Every reviewer claims an item, thinks for a moment and decides, over HTTP, and keeps a log of its own
of what was acknowledged. In the middle a worker is killed at its run, then a server, which is
started again. At the end the logs are held against the database.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import select

from databits.actor import Actor
from databits.errors import Unavailable
from databits.platforms.embedded.jobs import work
from databits.remote import FILE, Gone, Remote, Server
from databits.store.shapes import ENDED
from databits.store.tables import change_rows, changes, items, labels, runs, suggestions
from tests.tools.conftest import suggest

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = [pytest.mark.slow, pytest.mark.both_databases]

SECONDS = 60.0
REVIEWERS = 50
ITEMS = 24_000
LABELS = ("billing", "login", "shipping")
STATES = {"approve_labels": "approved", "correct_labels": "approved", "skip_items": "skipped"}


# --- the servers ----------------------------------------------------------------------------------


class House:
    """One `databits up` on a folder of its own, which can be killed and started again."""

    def __init__(self, home: Path, database_url: str) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.environment = {
            **os.environ,
            "DATABITS_HOME": str(home),
            "DATABITS_DATABASE_URL": database_url,
            "DATABITS_USER": "ana",
            "DATABITS_THREADS": "1",
        }
        self.open()

    def open(self) -> None:
        command = [Path(sys.executable).with_name("databits"), "up", "--port", str(self.port)]
        with (self.home / "server.log").open("ab") as out:
            self.process = subprocess.Popen(command, env=self.environment, stdout=out, stderr=out)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ready(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + 240
        while self.door() is None:
            said = (self.home / "server.log").read_text(encoding="utf-8")
            assert self.process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.1)

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.kill()

    def door(self) -> Remote | None:
        """How to call it, as far as anybody can know before calling."""
        try:
            server = Server(**json.loads((self.home / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None
        return Remote(server) if server.pid == self.process.pid else None

    def call(self, name: str, arguments: dict[str, Any], actor: Actor) -> Any:
        """Call until it was performed, or may have been.

        Raises:
            Unavailable: when the server died with the call.
        """
        while True:
            door = self.door()
            if door is not None:
                with contextlib.suppress(Gone):
                    return door.run(name, arguments, actor)
            time.sleep(0.1)


# --- the reviewers --------------------------------------------------------------------------------


class Said(NamedTuple):
    """An acknowledged call of a reviewer about an item."""

    who: str
    operation: str
    item: int
    label: str | None
    change: int
    asked: float
    answered: float


class Reviewer:
    def __init__(self, number: int, house: House, until: float) -> None:
        self.name = f"reviewer-{number}"
        self.actor = Actor(self.name, "reviewer", "review", person=True)
        self.house = house
        self.until = until
        self.dice = random.Random(number)
        self.log: list[Said] = []
        self.lost = 0

    def work(self) -> None:
        while time.monotonic() < self.until:
            try:
                self.one()
            except Unavailable:
                self.lost += 1  # its answer was: nobody knows whether it was done

    def one(self) -> None:
        claimed = self.call("claim_items", {"databit": "support"})
        if not claimed.items:
            time.sleep(0.05)
            return
        item = claimed.items[0]
        time.sleep(self.dice.uniform(0, 0.05))
        name = self.dice.choice(sorted(STATES))
        label = {"approve_labels": item.suggestion, "skip_items": None}.get(
            name, self.dice.choice(LABELS)
        )
        arguments: dict[str, Any] = {"databit": "support", "items": [item.id]}
        if name == "correct_labels":
            arguments["label"] = label
        self.call(name, arguments, label)

    def call(self, name: str, arguments: dict[str, Any], label: str | None = None) -> Any:
        asked = time.monotonic()
        result = self.house.call(name, arguments, self.actor)
        answered = time.monotonic()
        about = [i.id for i in result.items] if name == "claim_items" else result.decided
        for item in about:
            self.log.append(Said(self.name, name, item, label, result.change_id, asked, answered))
        return result


# --- the accidents --------------------------------------------------------------------------------


def kill_a_worker(house: House, desk: "Desk") -> int:
    """Start a run and kill its worker once it has begun; returns the run."""
    run = house.call("prelabel_items", {"databit": "other"}, desk.actor)
    until = time.monotonic() + 240
    # Not through the server: it has fifty others to answer, and the run does not take long.
    while (row := desk.workbench.database.read(lambda s: s.runs.raw(run.id))).state != "running":
        assert row.state == "queued", row.state
        assert time.monotonic() < until, "no worker took the run"
        time.sleep(0.02)
    os.kill(int(row.worker.split(":")[1]), signal.SIGKILL)
    return int(run.id)


def prepare(desk: "Desk", folder: Path) -> None:
    """A long queue with suggestions, and a short one that a run will work on."""
    for name, count in (("support", ITEMS), ("other", 600)):
        path = folder / f"{name}.csv"
        rows = (f"{name} ticket {n} about {LABELS[n % 3]}" for n in range(count))
        path.write_text("text\n" + "\n".join(rows) + "\n", encoding="utf-8")
        desk("import_files", path=str(path))
        desk("create_databit", name=name, labels=list(LABELS))
        desk("queue_items", databit=name, source=name)
    suggest(desk, {n: (LABELS[n % 3], 0.5) for n in range(1, ITEMS + 1)})


# --- the test -------------------------------------------------------------------------------------


@pytest.mark.timeout(1200)
def test_fifty_reviewers_for_a_minute_lose_nothing_and_share_nothing(
    desk: "Desk", backend: str, database_url: str, tmp_path: Path
) -> None:
    prepare(desk, tmp_path)
    homes = [desk.workbench.settings.home]
    if backend == "postgresql":
        homes.append(tmp_path / "second")
    url = database_url if backend == "postgresql" else ""
    desk.workbench.ownership.release()  # it looks on from here, and calls through the servers
    houses = [House(home, url) for home in homes]
    try:
        for house in houses:
            house.ready()
        run, reviewers = a_minute(houses, desk)
    finally:
        for house in houses:
            house.close()
    said = [line for reviewer in reviewers for line in reviewer.log]
    decided = [line for line in said if line.operation in STATES]
    print(
        f"\n{backend}: {len(houses)} server processes, {REVIEWERS} reviewers, {SECONDS:.0f} s: "
        f"{len(decided)} decisions ({len(decided) / SECONDS:.0f} a second), "
        f"{sum(r.lost for r in reviewers)} answers lost in the kill"
    )
    assert len(decided) > 10 * REVIEWERS
    check_claims(desk, said)
    check_decisions(desk, decided)
    check_counts(desk)
    check_run(desk, run)
    assert desk("verify_audit").intact


def a_minute(houses: list[House], desk: "Desk") -> tuple[int, list[Reviewer]]:
    begun = time.monotonic()
    crowd = [Reviewer(n, houses[n % len(houses)], begun + SECONDS) for n in range(REVIEWERS)]
    with ThreadPoolExecutor(REVIEWERS) as pool:
        working = [pool.submit(reviewer.work) for reviewer in crowd]
        time.sleep(SECONDS / 6)
        run = kill_a_worker(houses[0], desk)
        time.sleep(max(0.0, begun + SECONDS / 2 - time.monotonic()))
        houses[-1].kill()
        houses[-1].open()
        for done in working:
            done.result()
    return run, crowd


def check_claims(desk: "Desk", said: list[Said]) -> None:
    """No lease ended meanwhile and nothing was released: every item was one person's alone."""
    whose: dict[int, set[str]] = defaultdict(set)
    for line in said:
        whose[line.item].add(line.who)
    assert not {item: who for item, who in whose.items() if len(who) > 1}
    query = (
        select(change_rows.c.row_id, changes.c.actor)
        .join(changes, changes.c.id == change_rows.c.change_id)
        .where(change_rows.c.table_name == "items", changes.c.operation == "claim_items")
    )
    for row in desk.workbench.database.read(lambda store: store.tx.rows(query)):
        whose[row.row_id].add(row.actor)  # those that nobody was told of too
    assert not {item: who for item, who in whose.items() if len(who) > 1}


def check_decisions(desk: "Desk", decided: list[Said]) -> None:
    """Every acknowledged decision is there, by whom and as it was made, and no item has two."""
    made = {(row["item_id"], row["actor"], row["label"]) for row in desk.rows(labels)}
    missing = [d for d in decided if (d.item, d.who, d.label) not in made]
    assert not missing, missing[:3]
    twice = [i for i, n in Counter(row["item_id"] for row in desk.rows(labels)).items() if n > 1]
    assert not twice, twice[:5]
    acknowledged = Counter(d.item for d in decided)
    assert max(acknowledged.values()) == 1
    now = {row["id"]: row for row in desk.rows(items)}
    for d in decided:
        row = now[d.item]
        assert (row["state"], row["label"], row["decided_by"], row["held_by"]) == (
            STATES[d.operation],
            d.label,
            d.who,
            None,
        )


def check_counts(desk: "Desk") -> None:
    status = desk("queue_status", databit="support")
    rows = [row for row in desk.rows(items) if row["databit_id"] == 1]
    states = Counter(row["state"] for row in rows)
    assert sum(states.values()) == ITEMS
    found = status.model_dump()
    assert {state: found[state] for state in states} == dict(states)
    assert found["claimed"] == sum(row["held_by"] is not None for row in rows)
    assert states["approved"] + states["skipped"] == len(desk.rows(labels))


def check_run(desk: "Desk", run_id: int) -> None:
    """The run whose worker was killed is done, by another one, and once."""
    until = time.monotonic() + 240
    while True:
        work(desk.workbench, idle_seconds=0)
        row = next(row for row in desk.rows(runs) if row["id"] == run_id)
        if row["state"] in ENDED or time.monotonic() > until:
            break
        time.sleep(1)
    assert row["state"] == "succeeded", row["error"]
    given = [s for s in desk.rows(suggestions) if s["run_id"] == run_id]
    assert len(given) == row["result"]["suggested"] == 600
    assert len({s["item_id"] for s in given}) == 600
