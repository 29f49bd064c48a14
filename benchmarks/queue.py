"""Claim + decide through the full stack, beside the bare database doing the same rows.

    python -m benchmarks.queue [--seconds 4] [--rounds 3] [--clients 1,8,32] [--processes 4] [--slow 4.8]

Each side works on copies of one prepared database, by turns; the median round counts. A client is a
thread that never pauses; the ratio is what counts. See benchmarks/floors.py for the floors.
The product does the same through role check, validation, row images, audit chain and undo.

One line of a database is of a slow disk: both sides wait `--slow` milliseconds more in each
commit (SQLite's writers before they say COMMIT, PostgreSQL by its `commit_delay`). On SQLite the
last line is beside a bare writer of the product's own rows; see benchmarks/same_rows.py.
"""

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import event, func, select, update

from benchmarks import floors
from benchmarks.databases import Databases, arguments, bare, opened
from benchmarks.measure import (
    WARM,
    Line,
    Pace,
    Step,
    by_turns,
    drive,
    machine,
    middle,
    table,
    together,
)
from benchmarks.same_rows import same_rows
from benchmarks.workspace import count, fill, workbench
from databits.actor import Actor
from databits.store.tables import items, labels

Side = Callable[[], AbstractContextManager[Step]]
"""Opens one side on its database; can be sent to another process."""


class Sizes(NamedTuple):
    clients: Sequence[int] = (1, 8, 32)
    processes: int = 4
    """On PostgreSQL the clients are also spread over that many processes; 1: they are not."""
    seconds: float = 4
    rounds: int = 3
    items: int = 100_000
    queues: int = 4
    length: int = 400
    """Characters of an item's text."""
    slow: float = 4.8
    """Milliseconds that a slow disk takes longer to make a commit durable; 0: it is not measured."""


SMALL = Sizes(
    clients=(2,), processes=2, seconds=0.2, rounds=1, items=12_000, queues=2, length=40, slow=1
)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--clients", default="1,8,32")
    for name in ("processes", "rounds", "items", "queues", "length"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Sizes(), name))
    for name in ("seconds", "slow"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Sizes(), name))
    asked = parser.parse_args()
    sizes = Sizes(
        tuple(map(int, asked.clients.split(","))),
        *(getattr(asked, name) for name in Sizes._fields[1:]),
    )
    with opened(asked.databases) as databases:
        print(machine(databases[0].folder))
        print(
            table(
                [line for db in databases for line in measure(db, SMALL if asked.small else sizes)]
            )
        )


def measure(databases: Databases, sizes: Sizes) -> list[Line]:
    """A line for each number of clients, and for what the module says of both databases."""
    empty, ours = databases.new(), databases.new()
    with contextlib.closing(bare(empty)) as db:
        floors.fill(db, sizes.items, sizes.queues, sizes.length)
    home = databases.folder / "home"
    _fill_product(ours, home, sizes)
    if databases.name != "sqlite":
        with contextlib.closing(bare(ours)) as db:
            db.execute("VACUUM ANALYZE")
    lines: list[Line] = []
    for processes in (1,) if databases.name == "sqlite" else (1, sizes.processes):
        lines += [
            _compare(databases, empty, ours, home, clients, processes, sizes)
            for clients in sizes.clients
            if processes <= clients
        ]
    most = max(sizes.clients)
    if sizes.slow:
        lines.append(_compare(databases, empty, ours, home, most, 1, sizes, sizes.slow))
    if databases.name == "sqlite":
        databases.drop(empty)
        empty = databases.copy(ours)
        with _product(empty, home, sizes.queues) as step:
            step("sample-0")  # the rows of this pair are what the bare writer writes
        lines.append(_compare(databases, empty, ours, home, most, 1, sizes, same=True))
    databases.drop(empty)
    databases.drop(ours)
    return lines


def _compare(
    databases: Databases,
    bare_one: str,
    ours: str,
    home: Path,
    clients: int,
    processes: int,
    sizes: Sizes,
    slow: float = 0,
    *,
    same: bool = False,
) -> Line:
    """Args:
    same: The bare one writes the product's own rows.
    """

    def one(origin: str, side: Callable[..., Any], check: Callable[[str, Path, int], None]) -> Pace:
        url = databases.copy(origin)
        try:
            if slow and databases.name != "sqlite":
                _delay_commits(url, slow)
            opens = partial(side, url, home, sizes.queues, slow)
            pace = _spread(opens, clients, processes, sizes.seconds)
            check(url, home, pace.done)
            return pace
        finally:
            databases.drop(url)

    def nothing_lost(url: str, home: Path, done: int) -> None:
        asked = "labels WHERE actor <> 'sample-0'" if same else "queue_labels"
        with contextlib.closing(bare(url)) as db:
            kept = db.execute(f"SELECT count(*) FROM {asked}").fetchone()[0]
        if kept != done:
            raise RuntimeError(f"the floor kept {kept} of {done} decisions")

    floor, product = by_turns(
        sizes.rounds,
        lambda: one(bare_one, _same_rows if same else _floor, nothing_lost),
        lambda: one(ours, _product, _check_product),
    )
    low, high = middle(floor), middle(product)
    where = f"in {processes} processes" if processes > 1 else "in one process"
    where += f", commits {slow:g} ms slower" if slow else ""
    where += ", beside the same rows" if same else ""
    return Line(
        f"claim + decide, {clients} clients {where}",
        databases.name,
        low.rate,
        high.rate,
        "pairs/s",
        least=0.5 if clients >= 32 and not same else None,
        notes=f"p50/p95/cpu ms: floor {low.said()}, product {high.said()}",
    )


def _check_product(url: str, home: Path, done: int) -> None:
    """Every decision is there, and no item was decided twice."""
    with workbench(url, home) as bench:
        query = select(
            func.count().label("kept"), func.count(labels.c.item_id.distinct()).label("apart")
        )
        found = count(bench, query)
    if not found["kept"] == found["apart"] == done:
        raise RuntimeError(
            f"of {done} decisions {found['kept']} are there, on {found['apart']} items"
        )


def _fill_product(url: str, home: Path, sizes: Sizes) -> None:
    with workbench(url, home) as bench:
        for n in range(sizes.queues):
            fill(bench, f"queue-{n}", sizes.items // sizes.queues, sizes.length)
        # The same priorities as the floor's, which suggestions would have set.
        rank = items.c.id * 7919 % 10 / 10.0
        bench.database.write(lambda store: store.tx.db.execute(update(items).values(priority=rank)))


def _delay_commits(url: str, slow: float) -> None:
    """Have PostgreSQL wait before it writes a commit to the disk; those who come meanwhile share it."""
    name = url.rpartition("/")[2]
    with contextlib.closing(bare(url)) as db:
        db.execute(f"ALTER DATABASE {name} SET commit_delay = {round(slow * 1000)}")
        db.execute(f"ALTER DATABASE {name} SET commit_siblings = 0")


@contextlib.contextmanager
def _floor(url: str, home: Path, queues: int, slow: float = 0) -> Iterator[Step]:
    with floors.floor(url, queues, slow / 1000) as step:
        yield step


@contextlib.contextmanager
def _same_rows(url: str, home: Path, queues: int, slow: float = 0) -> Iterator[Step]:
    with same_rows(url, slow / 1000) as step:
        yield step


@contextlib.contextmanager
def _product(url: str, home: Path, queues: int, slow: float = 0) -> Iterator[Step]:
    with workbench(url, home) as bench:
        if slow and url.startswith("sqlite"):
            writer = bench.database._writer_engine
            event.listen(writer, "commit", lambda _: time.sleep(slow / 1000))

        def step(who: str) -> bool:
            actor = Actor(who, "reviewer", "test", person=True)
            databit = f"queue-{floors.number(who) % queues}"
            claimed: Any = bench.run("claim_items", {"databit": databit}, actor)
            if not claimed.items:
                return False
            item = claimed.items[0].id
            said = {"databit": databit, "items": [item], "label": "a"}
            made: Any = bench.run("correct_labels", said, actor)
            return bool(made.decided == [item])

        yield step


def _spread(opens: Side, clients: int, processes: int, seconds: float) -> Pace:
    """The clients at work, in this process or spread over several."""
    people = [f"person-{n}" for n in range(clients)]
    if processes == 1:
        with opens() as step:
            return drive(step, people, time.monotonic() + WARM, seconds)
    context = multiprocessing.get_context("spawn")
    ends, started = [], []
    for n in range(processes):
        here, there = context.Pipe()
        args = (there, opens, people[n::processes], seconds)
        process = context.Process(target=_client_process, args=args)
        process.start()
        there.close()
        ends.append(here)
        started.append(process)
    for end in ends:
        end.recv()  # it is ready
    start = time.monotonic() + WARM
    for end in ends:
        end.send(start)
    paces = [end.recv() for end in ends]
    for process in started:
        process.join()
    return together(paces)


def _client_process(end: Connection, opens: Side, people: list[str], seconds: float) -> None:
    with opens() as step:
        end.send("ready")
        end.send(drive(step, people, end.recv(), seconds))


if __name__ == "__main__":
    main()
