"""Claim + decide through the full stack, beside the bare database doing the same rows.

    python -m benchmarks.queue [--seconds 5] [--clients 1,8,32]

The floor is SQLite with one writer thread, group commit and synchronous=FULL, which only claims a
row and writes a label. The product does that through role check, validation, change images, audit
chain and undo. Both run in this process, one after the other; the ratio is what counts.
"""

import argparse
import queue
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from databits.actor import Actor
from databits.model import Changed
from databits.operation import load_catalogue
from databits.platforms.embedded import Embedded
from databits.settings import Settings

ITEMS = 60_000
CLAIM = """UPDATE items SET state='claimed', worker=?, lease=? WHERE id=(SELECT id FROM items
  WHERE state='open' ORDER BY priority DESC, id LIMIT 1) RETURNING id"""
Step = Callable[[str], bool]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", default="1,8,32")
    asked = parser.parse_args()
    load_catalogue()
    print("clients  floor pairs/s  product pairs/s  ratio  floor p95 ms  product p95 ms")
    for clients in map(int, asked.clients.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            floor, floor_p95 = drive(_floor(Path(folder) / "floor.db"), clients, asked.seconds)
            product, product_p95 = drive(_product(Path(folder) / "home"), clients, asked.seconds)
        print(
            f"{clients:7d}  {floor:13.0f}  {product:15.0f}  {product / floor:5.2f}"
            f"  {floor_p95 * 1e3:12.1f}  {product_p95 * 1e3:14.1f}"
        )


def drive(step: Step, clients: int, seconds: float) -> tuple[float, float]:
    """(pairs a second, p95 of a pair in seconds) of `clients` threads that never pause."""
    until = time.perf_counter() + seconds
    times: list[list[float]] = [[] for _ in range(clients)]

    def client(n: int) -> None:
        while (begun := time.perf_counter()) < until and step(f"person-{n}"):
            times[n].append(time.perf_counter() - begun)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = sorted(t for each in times for t in each)
    return len(done) / seconds, done[int(0.95 * len(done))]


def _floor(path: Path) -> Step:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        db.execute(f"PRAGMA {pragma}")
    db.executescript(
        """CREATE TABLE items(id INTEGER PRIMARY KEY, state TEXT, priority REAL, worker TEXT, lease REAL);
        CREATE TABLE labels(item INTEGER PRIMARY KEY, worker TEXT, label TEXT, at REAL);
        CREATE INDEX ready ON items(priority DESC, id) WHERE state='open';"""
    )
    rows = (("open", n % 7 / 7) for n in range(ITEMS))
    db.executemany("INSERT INTO items(state, priority) VALUES (?, ?)", rows)
    waiting: queue.SimpleQueue[tuple[Callable[[], object], list[object], threading.Event]] = (
        queue.SimpleQueue()
    )

    def writer() -> None:
        while True:
            group = [waiting.get()]
            while len(group) < 256:
                try:
                    group.append(waiting.get_nowait())
                except queue.Empty:
                    break
            db.execute("BEGIN IMMEDIATE")
            for fn, slot, _ in group:
                slot.append(fn())
            db.execute("COMMIT")
            for _, _, done in group:
                done.set()

    threading.Thread(target=writer, daemon=True).start()

    def call(fn: Callable[[], object]) -> object:
        slot: list[object] = []
        done = threading.Event()
        waiting.put((fn, slot, done))
        done.wait()
        return slot[0]

    def decide(item: int, who: str) -> None:
        db.execute("UPDATE items SET state='done' WHERE id=? AND worker=?", (item, who))
        db.execute("INSERT INTO labels VALUES (?, ?, 'a', ?)", (item, who, time.time()))

    def step(who: str) -> bool:
        row = call(lambda: db.execute(CLAIM, (who, time.time() + 900)).fetchone())
        if not row:
            return False
        item = row[0]  # type: ignore[index]
        call(lambda: decide(item, who))
        return True

    return step


def _product(home: Path) -> Step:
    workbench = Embedded(Settings(home=home))
    admin = Actor("admin", "admin", "test", person=True)
    source = home.parent / "texts.csv"
    source.write_text(
        "text\n" + "\n".join(f"text number {n}" for n in range(ITEMS)), encoding="utf-8"
    )
    workbench.run("import_files", {"path": str(source)}, admin)
    workbench.run("create_databit", {"name": "bench", "labels": ["a", "b"]}, admin)
    workbench.run("queue_items", {"databit": "bench"}, admin)

    def step(who: str) -> bool:
        actor = Actor(who, "reviewer", "test", person=True)
        claimed = workbench.run("claim_items", {"databit": "bench"}, actor)
        items = claimed.items  # type: ignore[attr-defined]
        if not items:
            return False
        made = workbench.run(
            "correct_labels", {"databit": "bench", "items": [items[0].id], "label": "a"}, actor
        )
        assert isinstance(made, Changed)
        return True

    return step


if __name__ == "__main__":
    main()
