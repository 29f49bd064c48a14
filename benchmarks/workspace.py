"""Workspaces to measure in, filled through the product's own operations."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select

from databits.actor import Actor
from databits.model import Planned, Run
from databits.operation import load_catalogue
from databits.platforms.embedded import Embedded
from databits.platforms.embedded.jobs import work
from databits.settings import Settings
from databits.store import Store
from databits.store.tables import items

ADMIN = Actor("admin", "admin", "test", person=True)
LABELS = ("a", "b")


@contextlib.contextmanager
def workbench(url: str, home: Path) -> Iterator[Embedded]:
    """The product on a database."""
    load_catalogue()
    made = Embedded(Settings(home=home, database_url=url))
    try:
        yield made
    finally:
        made.database.close()


def settle(workbench: Embedded, name: str, /, **arguments: Any) -> BaseModel:
    """Run an operation to its end: approve its plan, work on its run."""
    result = workbench.run(name, arguments, ADMIN)
    if isinstance(result, Planned):
        workbench.run("decide_approval", {"plan": result.plan.id, "approve": True}, ADMIN)
        result = workbench.run(name, arguments, ADMIN)
    if isinstance(result, Run):
        work(workbench, idle_seconds=0)
        run_id = result.id
        result = workbench.database.read(lambda store: store.runs.get(run_id))
        if result.state != "succeeded":
            raise RuntimeError(f"{name} {result.state}: {result.error}")
    return result


def write_texts(path: Path, rows: int, length: int, mark: str = "") -> None:
    """A csv of one column with texts of about `length` characters, no two alike."""
    filling = "x" * length
    with path.open("w", encoding="utf-8") as file:
        file.write("text\n")
        file.writelines(f"{f'{mark} text number {n} {filling}'[:length]}\n" for n in range(rows))


def fill(workbench: Embedded, databit: str, items: int, length: int = 400) -> None:
    """A Databit with that many open items, of texts of `length` characters."""
    path = workbench.settings.home / f"{databit}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_texts(path, items, length, databit)
    settle(workbench, "import_files", path=str(path), source=databit)
    settle(workbench, "create_databit", name=databit, labels=list(LABELS))
    settle(workbench, "queue_items", databit=databit, source=databit)
    path.unlink()


def suggest(workbench: Embedded, databit: str) -> int:
    """Leave a suggestion for every item, as prelabel_items does; returns how many."""

    def write(store: Store) -> int:
        databit_id = store.databits.get(databit).databit_id
        query = select(items.c.id).where(items.c.databit_id == databit_id).order_by(items.c.id)
        ids = [row.id for row in store.tx.rows(query)]
        store.tx.begin_change("prelabel_items", "engine", "test")
        found = [(i, LABELS[i % 2], round(0.5 + i % 50 / 100, 2), "because") for i in ids]
        store.items.suggest(found, "engine", None)
        store.tx.end_change()
        return len(ids)

    return workbench.database.write(write)


def count(workbench: Embedded, query: Any) -> Mapping[str, int]:
    """The one row of a query, by name."""
    return workbench.database.read(lambda store: dict(store.tx.rows(query)[0]._mapping))
