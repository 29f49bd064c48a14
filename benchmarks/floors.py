"""The bare floors of claim + decide: what the databases themselves can do with the same rows.

SQLite: one writer thread that commits what waits as one group, synchronous=FULL. PostgreSQL: a
connection a client, a claim that passes over locked rows, and a decision that only the holder of
the claim can make. Neither knows of roles, changes, images, undo or an audit log.
"""

import contextlib
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from benchmarks.databases import bare_postgres, bare_sqlite
from benchmarks.measure import Step

LEASE = 900
_VALUE = json.dumps({"label": "a"})
_GROUP = 256
_SQLITE = """
CREATE TABLE queue_items(id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, state TEXT NOT NULL,
  priority REAL NOT NULL, holder TEXT, held_until REAL, token INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE queue_labels(item INTEGER PRIMARY KEY, holder TEXT NOT NULL, value TEXT NOT NULL,
  at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX queue_next ON queue_items(queue, priority DESC, id) WHERE state = 'open';
"""
_POSTGRES = """
CREATE TABLE queue_items(id bigint PRIMARY KEY, queue int NOT NULL, state text NOT NULL,
  priority float8 NOT NULL, holder text, held_until timestamptz, token int NOT NULL,
  text text NOT NULL)
  WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE TABLE queue_labels(item bigint PRIMARY KEY, holder text NOT NULL, value jsonb NOT NULL,
  at timestamptz NOT NULL);
CREATE INDEX queue_next ON queue_items(queue, priority DESC, id) WHERE state = 'open';
"""
_ADD = "INSERT INTO queue_items(id, queue, state, priority, token, text) VALUES (?, ?, 'open', ?, 0, ?)"
_CLAIM = """UPDATE queue_items SET state = 'held', holder = ?, held_until = ?, token = token + 1
WHERE id = (SELECT id FROM queue_items WHERE queue = ? AND state = 'open'
            ORDER BY priority DESC, id LIMIT 1) RETURNING id, token, text"""
_DECIDE = (
    "UPDATE queue_items SET state = 'done' "
    "WHERE id = ? AND holder = ? AND token = ? AND state = 'held'"
)
_KEEP = "INSERT INTO queue_labels VALUES (?, ?, ?, ?)"
_CLAIM_SKIPPING = """WITH free AS (
  SELECT id FROM queue_items WHERE queue = %s AND state = 'open'
  ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE queue_items i SET state = 'held', holder = %s, token = token + 1,
  held_until = now() + interval '900 seconds'
FROM free WHERE i.id = free.id RETURNING i.id, i.token, i.text"""
_DECIDE_FENCED = """WITH mine AS (
  UPDATE queue_items SET state = 'done' WHERE id = %s AND holder = %s AND token = %s
  AND state = 'held' RETURNING id)
INSERT INTO queue_labels SELECT id, %s, %s, now() FROM mine"""


def fill(db: Any, items: int, queues: int, length: int) -> None:
    """The floor's tables in an empty database, with open items spread over the queues."""
    rows = (
        (n, n % queues, priority(n), f"text number {n} ".ljust(length, "x")) for n in range(items)
    )
    if isinstance(db, sqlite3.Connection):
        db.executescript(_SQLITE)
        db.execute("BEGIN")
        db.executemany(_ADD, rows)
        db.execute("COMMIT")
        return
    db.execute(_POSTGRES)
    columns = "id, queue, state, priority, token, text"
    with db.cursor().copy(f"COPY queue_items({columns}) FROM STDIN") as copy:
        for n, which, rank, text in rows:
            copy.write_row((n, which, "open", rank, 0, text))
    db.execute("VACUUM ANALYZE queue_items")


def priority(n: int) -> float:
    """Ten priorities, spread over the items: the next best is rarely the next row."""
    return n * 7919 % 10 / 10


@contextlib.contextmanager
def floor(url: str, queues: int, slow: float = 0) -> Iterator[Step]:
    """The floor's claim + decide on a database that `fill` has filled.

    Args:
        slow: Seconds that SQLite's writer waits before each commit, as for a slow disk.
    """
    sqlite = url.startswith("sqlite")
    with _sqlite(url, queues, slow) if sqlite else _postgres(url, queues) as step:
        yield step


@contextlib.contextmanager
def _sqlite(url: str, queues: int, slow: float) -> Iterator[Step]:
    writer = Writer(url, slow)
    db = writer.db

    def claim(who: str) -> Any:
        return db.execute(_CLAIM, (who, time.time() + LEASE, number(who) % queues)).fetchone()

    def decide(item: int, who: str, token: int) -> bool:
        if db.execute(_DECIDE, (item, who, token)).rowcount != 1:
            return False
        db.execute(_KEEP, (item, who, _VALUE, time.time()))
        return True

    def step(who: str) -> bool:
        row = writer.call(lambda: claim(who))
        return row is not None and writer.call(lambda: decide(row[0], who, row[1]))

    try:
        yield step
    finally:
        writer.stop()


class Writer:
    """One thread that runs what is asked of it and commits a group at once.

    `before_commit` is called at the end of each group.
    """

    before_commit: Callable[[], None] | None = None

    def __init__(self, url: str, slow: float) -> None:
        self.db = bare_sqlite(url)
        self._slow = slow
        self._asked: queue.SimpleQueue[tuple[Callable[[], Any], list[Any], threading.Event] | None]
        self._asked = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def call(self, fn: Callable[[], Any]) -> Any:
        answer: list[Any] = []
        done = threading.Event()
        self._asked.put((fn, answer, done))
        done.wait()
        return answer[0]

    def stop(self) -> None:
        self._asked.put(None)
        self._thread.join()
        self.db.close()

    def _loop(self) -> None:
        while (first := self._asked.get()) is not None:
            group = [first]
            with contextlib.suppress(queue.Empty):
                while len(group) < _GROUP and (following := self._asked.get_nowait()):
                    group.append(following)
            self.db.execute("BEGIN IMMEDIATE")
            for fn, answer, _ in group:
                answer.append(fn())
            if self.before_commit:
                self.before_commit()
            if self._slow:
                time.sleep(self._slow)
            self.db.execute("COMMIT")
            for _, _, done in group:
                done.set()


@contextlib.contextmanager
def _postgres(url: str, queues: int) -> Iterator[Step]:
    mine = threading.local()
    opened: list[psycopg.Connection[Any]] = []

    def step(who: str) -> bool:
        if not hasattr(mine, "db"):
            mine.db = bare_postgres(url)
            opened.append(mine.db)
        row = mine.db.execute(_CLAIM_SKIPPING, (number(who) % queues, who)).fetchone()
        if row is None:
            return False
        made = mine.db.execute(_DECIDE_FENCED, (row[0], who, row[1], who, _VALUE))
        return bool(made.rowcount == 1)

    try:
        yield step
    finally:
        for db in opened:
            db.close()


def number(who: str) -> int:
    """The number in a person's name."""
    return int(who.rpartition("-")[2])
