"""Verifying the audit log's chain of hashes.

    python -m benchmarks.audit [--events 1000000] [--rounds 3]

The chain is made by the product's own `link` and inserted in bulk, each event with its change. The
floor reads the same columns with the bare driver and hashes each row with the hash before it.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import insert, update

from benchmarks import command
from benchmarks.databases import Databases, bare
from benchmarks.measure import Clock, Line, by_turns, clocked
from benchmarks.workspace import ADMIN, workbench
from databits.digest import digest
from databits.platforms.embedded import Embedded
from databits.store import Store
from databits.store.audit import link
from databits.store.shapes import now
from databits.store.tables import audit, changes, counters

_GENESIS = "0" * 64
_BATCH = 10_000
_REFUSED = 10
_BARE = """SELECT id, at, actor, role, surface, client, operation, arguments_sha256, outcome, detail,
  change_id, run_id, plan_id, trace_id, previous, hash FROM audit ORDER BY id"""


class Sizes(NamedTuple):
    events: int = 1_000_000
    rounds: int = 3


SMALL = Sizes(events=500, rounds=1)


def main() -> None:
    command.run(__doc__, measure, Sizes(), SMALL)


def measure(databases: Databases, sizes: Sizes) -> list[Line]:
    """One line: seconds to verify."""
    url, home = databases.new(), databases.folder / "home"
    with workbench(url, home) as bench:
        fill_events(bench, sizes.events)
    with contextlib.closing(bare(url)) as db:
        db.execute("ANALYZE" if databases.name == "sqlite" else "VACUUM ANALYZE")
    floor, product = by_turns(
        sizes.rounds,
        lambda: clocked(lambda: _read_and_hash(databases, url)),
        lambda: _verify(url, home, sizes.events),
    )
    databases.drop(url)
    return [
        Line(
            f"verify_audit, {sizes.events:,} events",
            databases.name,
            Clock.middle(floor).seconds,
            Clock.middle(product).seconds,
            "s",
            cap=10,
            notes=Clock.said(floor, product),
        )
    ]


def fill_events(bench: Embedded, events: int) -> None:
    """A chain of that many events by 50 people, all but ten of them with a change, in an empty log."""
    made = _events(events)

    def write(batch: list[dict[str, Any]], store: Store) -> None:
        store.tx.db.execute(insert(changes), [_change_of(e) for e in batch if e["change_id"]])
        store.tx.db.execute(insert(audit), batch)
        store.tx.db.execute(
            update(counters).where(counters.c.name.in_(("audit", "changes"))).values(last=events)
        )

    batch: list[dict[str, Any]] = []
    for n, event in enumerate(made, 1):
        batch.append(event)
        if len(batch) == _BATCH or n == events:
            bench.database.write(partial(write, batch))
            batch = []


def _events(events: int) -> Iterator[dict[str, Any]]:
    previous, moment = _GENESIS, now()
    rare = max(1, events // _REFUSED)
    for n in range(1, events + 1):
        refused = n % rare == 0
        event: dict[str, Any] = {
            "id": n,
            "at": moment + n,
            "actor": f"person-{n % 50}",
            "role": "reviewer",
            "surface": "test",
            "client": "",
            "operation": ("claim_items", "correct_labels", "approve_labels")[n % 3],
            "arguments_sha256": digest(n),
            "outcome": "refused" if refused else "ok",
            "detail": "",
            # The newest event has a change: a log that ends before its changes is broken.
            "change_id": None if refused and n < events else n,
            "run_id": None,
            "plan_id": None,
            "trace_id": None,
            "previous": previous,
        }
        previous = event["hash"] = link(event)
        yield event


def _change_of(event: dict[str, Any]) -> dict[str, Any]:
    same = {name: event[name] for name in ("operation", "actor", "surface", "at")}
    return {**same, "id": event["change_id"], "state": "applied", "rows": 1}


def _verify(url: str, home: Path, events: int) -> Clock:
    with workbench(url, home) as bench:
        found: list[Any] = []
        took = clocked(lambda: found.append(bench.run("verify_audit", {}, ADMIN)))
    if not found[0].intact or found[0].events < events:
        raise RuntimeError(f"the chain of {events} events did not verify: {found[0]}")
    return took


def _read_and_hash(databases: Databases, url: str) -> None:
    with contextlib.closing(bare(url)) as db:
        previous = ""
        if databases.name == "sqlite":
            rows = db.execute(_BARE)
        else:
            db.execute("BEGIN")
            rows = db.cursor(name="chain")
            rows.itersize = _BATCH
            rows.execute(_BARE)
        for row in rows:
            previous = hashlib.sha256(f"{previous}{row}".encode()).hexdigest()


if __name__ == "__main__":
    main()
