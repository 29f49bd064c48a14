"""Lineage and history of a large workspace, beside bare SQL for the same neighbours.

    python -m benchmarks.lineage [--rows 1000000] [--changes 1000000] [--database sqlite|postgresql] [--small]

The workspace has `rows` records, as many items, all of them in one dataset that trained a model,
which an endpoint serves and has answered requests with: three million edges for a million rows.
On top of it lie `changes` decisions of one item each, as reviewing makes them, with their audit
events. The floor of lineage is the same neighbours asked for by one bare SELECT each; of a list
and an item's history there is no floor, only the time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Table, text

from benchmarks.databases import PostgreSQL, SQLite
from benchmarks.postgres import server
from benchmarks.workspace import ADMIN, workbench
from databits.platforms.embedded import Embedded
from databits.store import Store
from databits.store.shapes import now
from databits.store.tables import (
    audit,
    change_rows,
    changes,
    dataset_rows,
    datasets,
    endpoints,
    items,
    labels,
    models,
    records,
    requests,
    routes,
)

BATCH = 100_000
ROUNDS = 7
EVENTS = 100  # the first of the events that are made here; before them are the product's own
TARGET_S = 1.0
ASSETS = ("item:500", "source:texts", "databit:big", "dataset:big@1", "model:big@1", "endpoint:big")
# Of each relation that the walk follows: where a bare SELECT finds the same neighbours.
BARE = {
    "read from": "SELECT source_id FROM records WHERE id = {}",
    "shows": "SELECT record_id FROM items WHERE id = {}",
    "queued for": "SELECT databit_id FROM items WHERE id = {}",
    "holds item": "SELECT item_id FROM dataset_rows WHERE dataset_id = {} ORDER BY item_id LIMIT 5",
    "holds record": "SELECT id FROM records WHERE source_id = {} ORDER BY id LIMIT 5",
    "assembled for": "SELECT databit_id FROM datasets WHERE id = {}",
    "trained on": "SELECT dataset_id FROM models WHERE id = {}",
    "serves": "SELECT model_id FROM routes WHERE endpoint_id = {} AND retired_at IS NULL",
    "queued as": "SELECT id FROM items WHERE record_id = {} ORDER BY id LIMIT 5",
    "was assembled into": "SELECT id FROM datasets WHERE databit_id = {} ORDER BY id LIMIT 5",
    "is in": "SELECT dataset_id FROM dataset_rows WHERE item_id = {} ORDER BY dataset_id LIMIT 5",
    "trained": "SELECT id FROM models WHERE dataset_id = {} ORDER BY id LIMIT 5",
    "served by": "SELECT endpoint_id FROM routes WHERE model_id = {} LIMIT 5",
    "answered": "SELECT id FROM requests WHERE endpoint_id = {} ORDER BY id LIMIT 5",
}
LISTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("list_changes", "newest", {}),
    ("list_changes", "by a busy person", {"actor": "ana"}),
    ("list_changes", "by somebody rare", {"actor": "rita"}),
    ("list_changes", "by a rare operation", {"operation": "assemble_dataset"}),
    ("list_changes", "before a year ago", {"until": "2020-01-01"}),
    ("list_changes", "of an item", {"asset": "item:500"}),
    ("list_changes", "of a busy databit", {"asset": "databit:big"}),
    ("list_changes", "of a rare databit", {"asset": "databit:small"}),
    ("list_changes", "of a dataset", {"asset": "dataset:big@1"}),
    ("list_changes", "of a source", {"asset": "source:texts"}),
    ("get_item", "an item's history", {"item": 500}),
    ("search_audit", "of one change", {"change": 500}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--small", action="store_true", help="a thousand of each: does it run?")
    asked = parser.parse_args()
    rows, made = (1000, 1000) if asked.small else (asked.rows, asked.changes)
    with _new(asked.database) as (url, home), workbench(url, home) as product:
        begun = time.perf_counter()
        build(product, rows, made)
        print(f"{asked.database}: {rows:,} rows, {made:,} changes", end="")
        print(f", built in {time.perf_counter() - begun:.0f} s")
        measure(product)


@contextmanager
def _new(database: str) -> Iterator[tuple[str, Path]]:
    """The URL of a new database, and a folder for the rest of the workspace."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if database == "sqlite":
            yield SQLite(home).new(), home
            return
        with server() as address:
            yield PostgreSQL(home, address).new(), home


# building -----------------------------------------------------------------------------------------


def build(product: Embedded, rows: int, decisions: int) -> None:
    """Everything, by the store's own inserts, so that it is recorded as operations record it."""
    for name in ("big", "small"):
        product.run("create_databit", {"name": name, "labels": ["a", "b"]}, ADMIN)
    write: Any = product.database.write
    source = write(_change("import_files", lambda s: s.records.add_source("texts", "texts.csv")))
    for start in range(0, rows, BATCH):
        part = range(start, min(start + BATCH, rows))
        write(_change("import_files", lambda s, part=part: _add_records(s, source, part)))
        write(_change("queue_items", lambda s, part=part: _add_items(s, part)))
    write(_change("assemble_dataset", lambda s: _add_dataset(s, rows)))
    write(_change("deploy_model", _add_endpoint))
    write(lambda s: _add_requests(s, min(rows, 100_000)))
    for start in range(0, decisions, BATCH):
        part = range(start, min(start + BATCH, decisions))
        write(lambda s, part=part: _add_decisions(s, part, rows))
    with product.database.read(lambda s: s.tx.db).engine.connect() as db:
        db.execute(text("ANALYZE"))


def _change(operation: str, fn: Any) -> Callable[[Store], Any]:
    def write(store: Store) -> Any:
        store.tx.begin_change(operation, "ana", "test")
        result = fn(store)
        store.tx.end_change()
        return result

    return write


def _add_records(store: Store, source: int, part: range) -> None:
    rows = [
        {
            "id": n + 1,
            "source_id": source,
            "position": n + 2,
            "sha256": f"{n:064x}",
            "text": f"text number {n}",
            "fields": {},
            "origin": {"file": "texts.csv", "line": n + 2},
        }
        for n in part
    ]
    store.tx.insert(records, rows)


def _add_items(store: Store, part: range) -> None:
    rows = [
        {
            "id": n + 1,
            "databit_id": 1,
            "record_id": n + 1,
            "state": "approved",
            "label": "ab"[n % 2],
            "priority": 0.0,
        }
        for n in part
    ]
    store.tx.insert(items, rows)


def _add_dataset(store: Store, rows: int) -> None:
    row = {"id": 1, "databit_id": 1, "databit_version_id": 1, "number": 1, "sha256": "0" * 64}
    summary = {"rows": rows, "splits": {}, "labels": {}}
    given = {**row, "recipe": {}, "summary": summary, "created_at": now()}
    store.tx.insert(datasets, [given])
    for start in range(0, rows, BATCH):
        made = [
            {"id": n + 1, "dataset_id": 1, "item_id": n + 1, "label": "ab"[n % 2], "split": "train"}
            for n in range(start, min(start + BATCH, rows))
        ]
        store.tx.insert(dataset_rows, made)


def _add_endpoint(store: Store) -> None:
    at = {"created_at": now()}
    model = {"id": 1, "name": "big", "version": 1, "dataset_id": 1, "strategy": "head", **at}
    store.tx.insert(models, [{**model, "labels": ["a", "b"], "uri": "", "mlflow_run": ""}])
    store.tx.insert(endpoints, [{"id": 1, "name": "big", "status": "ready", **at}])
    store.tx.insert(
        routes, [{"id": 1, "endpoint_id": 1, "model_id": 1, "share": 100, "retired_at": None, **at}]
    )


def _add_requests(store: Store, count: int) -> None:
    row = {"endpoint_id": 1, "model_id": 1, "text": "x", "latency_us": 1, "status_code": 200}
    rows = [
        {**row, "id": n + 1, "request_id": f"r-{n}", "actor": "ana", "created_at": n}
        for n in range(count)
    ]
    store.tx.insert(requests, rows)


def _add_decisions(store: Store, part: range, rows: int) -> None:
    """Decisions of one item each, with what they leave in the log tables."""
    at, last = now(), int(store.tx.value(text("SELECT max(id) FROM changes")))
    said = {"kind": "correct", "label": "a", "reason": "", "surface": "review", "created_at": at}
    change = {"operation": "correct_labels", "surface": "review", "state": "applied", "rows": 2}
    image: dict[str, Any] = {"last_id": None, "kind": "insert", "before": None, "after": None}
    moved = {"kind": "update", "before": '{"label":null}', "after": '{"label":"a"}'}
    event: dict[str, Any] = {
        "role": "admin",
        "surface": "review",
        "client": "databits-page",
        "detail": "",
    }
    event |= {"operation": "correct_labels", "arguments_sha256": "0" * 64, "outcome": "ok"}
    event |= {"run_id": None, "plan_id": None, "trace_id": None, "previous": "", "hash": ""}
    made: dict[Table, list[dict[str, Any]]] = {labels: [], changes: [], change_rows: [], audit: []}
    images = store.tx.allocate(change_rows, 2 * len(part))
    for k, n in enumerate(part):
        who, i, item = "rita" if n % 100_000 == 7 else "ana", last + 1 + k, n % rows + 1
        one = {**image, "change_id": i}
        made[labels].append({**said, "id": n + 1, "item_id": item, "actor": who})
        made[changes].append({**change, "id": i, "actor": who, "at": at, "undo_of": None})
        made[change_rows] += [
            {**one, "id": images[2 * k], "table_name": "labels", "row_id": n + 1},
            {**one, **moved, "id": images[2 * k + 1], "table_name": "items", "row_id": item},
        ]
        made[audit].append({**event, "id": EVENTS + n, "at": at, "actor": who, "change_id": i})
    for table, found in made.items():
        names = tuple(found[0])
        store.tx.driver.insert(table, names, [[row[name] for name in names] for row in found])


# measuring ----------------------------------------------------------------------------------------


def measure(product: Embedded) -> None:
    print(f"{'lineage of':28} {'edges':>5} {'bare ms':>8} {'product ms':>10} {'ratio':>6}")
    for asset in ASSETS:
        asked = {"asset": asset}
        graph: Any = product.run("trace_lineage", asked, ADMIN)
        bare = _median(lambda graph=graph: _bare(product, graph))
        took = _median(lambda asked=asked: product.run("trace_lineage", asked, ADMIN))
        edges = len(graph.up) + len(graph.down)
        told = "" if took <= TARGET_S else "  over 1 s"
        print(
            f"{asset:28} {edges:5d} {bare * 1e3:8.2f} {took * 1e3:10.2f} {took / bare:6.1f}{told}"
        )
    print(f"{'reading':46} {'product ms':>10}")
    for name, what, asked in LISTS:
        took = _median(lambda name=name, asked=asked: product.run(name, asked, ADMIN))
        print(f"{name + ', ' + what:46} {took * 1e3:10.2f}")


def _bare(product: Embedded, graph: Any) -> None:
    """One SELECT for each node and relation of the graph, on one connection."""
    asked = {(e.source, e.relation, e.target.partition(":")[0]) for e in (*graph.up, *graph.down)}

    def read(store: Store) -> None:
        for source, relation, kind in asked:
            sql = BARE.get(relation) or BARE[f"{relation} {kind}"]
            number = source.partition(":")[2]
            store.tx.driver.execute(sql.format(int(number) if number.isdigit() else 1))

    product.database.read(read)


def _median(fn: Any) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        fn()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    main()
