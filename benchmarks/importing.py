"""Importing and queueing many short rows, beside a bare executemany of the same rows.

    python -m benchmarks.importing [--rows 1000000] [--rounds 1]

A csv file goes in by import_files, its records into a queue by queue_items. The floor reads the same
file with the csv module and inserts the same columns into the same tables in one transaction each.
Every step runs in a process of its own, so that the peak of its memory is its own.
"""

import contextlib
import csv
import hashlib
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import func, select

from benchmarks import command
from benchmarks.databases import Databases, bare
from benchmarks.measure import Line, by_turns, clocked, median, peak_memory
from benchmarks.workspace import LABELS, count, settle, workbench, write_texts
from databits.store.tables import items, records

DATABIT = "import"
_SOURCE = "INSERT INTO sources(id, name, path, created_at) VALUES (1, 'import', 'bare', 0)"
_RECORD = """INSERT INTO records(id, source_id, position, sha256, text, fields, origin)
  VALUES (?, 1, ?, ?, ?, '{}', ?)"""
_ITEM = """INSERT INTO items(id, databit_id, record_id, state, priority)
  VALUES (?, 1, ?, 'open', 0)"""


class Sizes(NamedTuple):
    rows: int = 1_000_000
    rounds: int = 1
    length: int = 60


SMALL = Sizes(rows=300, rounds=1)


class Step(NamedTuple):
    """One step in a process of its own."""

    seconds: float
    memory: int
    """Its peak, in MiB."""


class Took(NamedTuple):
    imported: Step
    queued: Step


def main() -> None:
    command.run(__doc__, measure, Sizes(), SMALL)


def measure(databases: Databases, sizes: Sizes) -> list[Line]:
    """A line for the import and one for the queue, in rows a second."""
    empty, home = databases.new(), databases.folder / "home"
    path = databases.folder / "rows.csv"
    write_texts(path, sizes.rows, sizes.length)
    make_empty(empty, home)

    def side(first: Callable[..., None], second: Callable[..., None]) -> Took:
        url = databases.copy(empty)
        try:
            took = Took(_apart(first, url, path), _apart(second, url, path))
            _check(url, home, sizes.rows)
            return took
        finally:
            databases.drop(url)

    floor, product = by_turns(
        sizes.rounds,
        lambda: side(import_bare, queue_bare),
        lambda: side(_import, _queue),
    )
    databases.drop(empty)
    path.unlink()
    return [
        _line(what, databases.name, sizes.rows, [t[n] for t in floor], [t[n] for t in product])
        for n, what in enumerate(
            (f"import_files, {sizes.rows:,} rows", f"queue_items, {sizes.rows:,} records")
        )
    ]


def make_empty(url: str, home: Path) -> None:
    """A workspace with a Databit and nothing in it."""
    with workbench(url, home) as bench:
        settle(bench, "create_databit", name=DATABIT, labels=list(LABELS))


def import_bare(url: str, path: Path) -> None:
    """The rows of the file as records, by the driver alone."""

    def rows() -> Iterator[tuple[Any, ...]]:
        with path.open(encoding="utf-8", newline="") as file:
            for n, (text,) in enumerate(csv.reader(file)):
                if n:
                    sha = hashlib.sha256(text.encode()).hexdigest()
                    yield n, n, sha, text, f'{{"file": "rows.csv", "line": {n + 1}}}'

    _bare(url, [(_SOURCE, iter([()])), (_RECORD, rows())])


def queue_bare(url: str, path: Path) -> None:
    """An open item for each row of the file, by the driver alone."""
    with path.open(encoding="utf-8") as file:
        rows = sum(1 for _ in file) - 1
    _bare(url, [(_ITEM, ((n, n) for n in range(1, rows + 1)))])


def _bare(url: str, parts: list[tuple[str, Iterator[tuple[Any, ...]]]]) -> None:
    with contextlib.closing(bare(url)) as db:
        db.execute("BEGIN")
        cursor = db.cursor()
        for sql, rows in parts:
            cursor.executemany(sql if url.startswith("sqlite") else sql.replace("?", "%s"), rows)
        db.execute("COMMIT")


def _import(url: str, path: Path) -> None:
    with workbench(url, path.parent / "home") as bench:
        settle(bench, "import_files", path=str(path), source=DATABIT)


def _queue(url: str, path: Path) -> None:
    with workbench(url, path.parent / "home") as bench:
        settle(bench, "queue_items", databit=DATABIT, source=DATABIT)


def _apart(step: Callable[..., None], url: str, path: Path) -> Step:
    """A step in a new process; its time includes opening the database, not starting Python."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_measured, args=(there, step, url, path))
    process.start()
    there.close()
    took: Step = here.recv()
    process.join()
    return took


def _measured(end: Connection, step: Callable[..., None], url: str, path: Path) -> None:
    seconds = clocked(lambda: step(url, path)).seconds
    end.send(Step(seconds, peak_memory()))


def _check(url: str, home: Path, rows: int) -> None:
    with workbench(url, home) as bench:
        for noun in (records, items):
            found = count(bench, select(func.count().label("n")).select_from(noun))["n"]
            if found != rows:
                raise RuntimeError(f"there are {found} {noun.name}, not {rows}")


def _line(what: str, database: str, rows: int, floor: list[Step], product: list[Step]) -> Line:
    low, high = (median(step.seconds for step in side) for side in (floor, product))
    memory = [max(step.memory for step in side) for side in (floor, product)]
    return Line(
        what,
        database,
        rows / low,
        rows / high,
        "rows/s",
        notes=f"{low:.1f} s and {high:.1f} s; peak memory {memory[0]:,} MiB and {memory[1]:,} MiB",
    )


if __name__ == "__main__":
    main()
