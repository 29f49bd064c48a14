"""Approving many items at once and taking it back, beside bare SQL on a copy of the same database.

    python -m benchmarks.bulk [--items 100000] [--rounds 3]

The floor is one transaction: an UPDATE, an INSERT … SELECT of a label an item and one audit row; for
the undo a DELETE, an UPDATE and one audit row. Schema, indexes, foreign keys and durability are the
product's. What counts for the product is the call that carries the approved plan out; what the plan
and its approval took stands in the notes.
"""

import contextlib
import time
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import func, select

from benchmarks import command
from benchmarks.databases import Databases, bare
from benchmarks.measure import Clock, Line, by_turns, clocked
from benchmarks.workspace import ADMIN, count, fill, suggest, workbench
from databits.store.tables import items

DATABIT = "bulk"
_MEANT = "state = 'open' AND suggestion IS NOT NULL AND confidence >= 0.5"
_APPROVE = (
    """INSERT INTO labels(id, item_id, kind, label, reason, actor, surface, created_at)
    SELECT (SELECT coalesce(max(id), 0) FROM labels) + row_number() OVER (ORDER BY id), id,
      'bulk approve', suggestion, '', 'admin', 'test', {now} FROM items WHERE """
    + _MEANT,
    """UPDATE items SET state = 'approved', label = suggestion, decided_by = 'admin',
    decided_at = {now}, held_by = NULL, held_until = NULL WHERE """
    + _MEANT,
)
_UNDO = (
    "DELETE FROM labels WHERE kind = 'bulk approve'",
    """UPDATE items SET state = 'open', label = NULL, decided_by = NULL, decided_at = NULL
    WHERE state = 'approved'""",
)
_AUDIT = """INSERT INTO audit(id, at, actor, role, surface, client, operation, arguments_sha256,
  outcome, detail, previous, hash)
  SELECT (SELECT coalesce(max(id), 0) FROM audit) + 1, {now}, 'admin', 'admin', 'test', '', 'bare',
  hash, 'ok', '', hash, hash FROM audit ORDER BY id DESC LIMIT 1"""


class Sizes(NamedTuple):
    items: int = 100_000
    rounds: int = 3
    length: int = 400


SMALL = Sizes(items=200, rounds=1, length=40)


class Took(NamedTuple):
    """What each step took."""

    approve: Clock
    undo: Clock
    plan: Clock = Clock(0, 0)
    decide: Clock = Clock(0, 0)


def main() -> None:
    command.run(__doc__, measure, Sizes(), SMALL)


def measure(databases: Databases, sizes: Sizes) -> list[Line]:
    """A line for the approval and one for its undo."""
    origin, home = databases.new(), databases.folder / "home"
    prepare(databases, origin, home, sizes)
    floor, product = by_turns(
        sizes.rounds,
        lambda: _floor(databases, origin, sizes.items),
        lambda: _product(databases, origin, home, sizes.items),
    )
    databases.drop(origin)
    plan = Clock.middle(took.plan for took in product).seconds
    decide = Clock.middle(took.decide for took in product).seconds
    before = f"before it: plan {plan:.2f} s, a person's approval {decide:.2f} s"
    approve = [took.approve for took in floor], [took.approve for took in product]
    undo = [took.undo for took in floor], [took.undo for took in product]
    return [
        _line(f"bulk approve of {sizes.items:,} items", databases.name, *approve, before),
        _line(f"undo of {sizes.items:,} approvals", databases.name, *undo),
    ]


def _line(
    what: str, database: str, floor: list[Clock], product: list[Clock], more: str = ""
) -> Line:
    low, high = Clock.middle(floor).seconds, Clock.middle(product).seconds
    notes = "; ".join(filter(None, (Clock.said(floor, product), more)))
    return Line(what, database, low, high, "s", most=5, notes=notes)


def prepare(databases: Databases, url: str, home: Path, sizes: Sizes) -> None:
    """A Databit whose items all have a suggestion."""
    with workbench(url, home) as bench:
        fill(bench, DATABIT, sizes.items, sizes.length)
        suggest(bench, DATABIT)
    with contextlib.closing(bare(url)) as db:
        db.execute("ANALYZE" if databases.name == "sqlite" else "VACUUM ANALYZE")


def _floor(databases: Databases, origin: str, expected: int) -> Took:
    url = databases.copy(origin)
    with contextlib.closing(bare(url)) as db:

        def transaction(statements: tuple[str, ...]) -> int:
            db.execute("BEGIN")
            moment = time.time_ns() // 1000
            touched = [db.execute(sql.format(now=moment)).rowcount for sql in statements]
            db.execute(_AUDIT.format(now=moment))
            db.execute("COMMIT")
            return int(touched[-1])

        done: list[int] = []
        took = Took(
            clocked(lambda: done.append(transaction(_APPROVE))),
            clocked(lambda: done.append(transaction(_UNDO))),
        )
    databases.drop(url)
    if done != [expected, expected]:
        raise RuntimeError(f"the floor touched {done} items, not {expected}")
    return took


def _product(databases: Databases, origin: str, home: Path, expected: int) -> Took:
    url = databases.copy(origin)
    with workbench(url, home) as bench:
        answers: list[Any] = []

        def run(name: str, **said: Any) -> Clock:
            return clocked(lambda: answers.append(bench.run(name, said, ADMIN)))

        bulk = {"databit": DATABIT, "min_confidence": 0.5}
        plan = run("bulk_label", **bulk)
        decide = run("decide_approval", plan=answers[-1].plan.id, approve=True)
        approve = run("bulk_label", **bulk)
        done = answers[-1].decided
        undo = run("undo_change", change=answers[-1].change_id)
        query = select(func.count().label("n")).where(items.c.state == "open")
        again = count(bench, query)["n"]
    databases.drop(url)
    if (done, again) != (expected, expected):
        raise RuntimeError(f"{done} items were approved and {again} are open again, not {expected}")
    return Took(approve, undo, plan, decide)


if __name__ == "__main__":
    main()
