"""Items: a record in the queue of a Databit, with suggestions, claims and decisions."""

from collections.abc import Mapping, Sequence
from typing import Any

from databits.model import Item
from databits.store.item_queries import (
    FREE,
    HELD,
    QUEUED,
    best_first,
    claimed,
)
from databits.store.item_reads import ItemReads
from databits.store.shapes import Decision, now
from databits.store.tables import items, labels, suggestions


class Items(ItemReads):
    """What is done to items, and what is asked of them."""

    def queue(
        self,
        databit_id: int,
        record_ids: Sequence[int],
        why: Mapping[int, str],
        priority: Mapping[int, float],
        feedback: Mapping[int, int] | None = None,
    ) -> list[int]:
        """Put records into a queue; those already there are passed over. Returns the new items."""
        ids = self._tx.driver.ids(record_ids)
        found = self._tx.fetch(QUEUED, databit_id=databit_id, ids=ids)
        there = {row.record_id for row in found}
        fresh = [i for i in dict.fromkeys(record_ids) if i not in there]
        return self._tx.insert(
            items,
            [
                {
                    "databit_id": databit_id,
                    "record_id": i,
                    "state": "open",
                    "priority": priority.get(i, 0.0),
                    "why": why.get(i),
                    "feedback_id": (feedback or {}).get(i),
                }
                for i in fresh
            ],
        )

    def claim(self, databit_id: int, actor: str, count: int, until: int) -> list[Item]:
        """Lease the next best open items: those the actor holds already first, then free ones.

        The one writer makes this safe; on PostgreSQL rows that somebody else has locked are passed
        over (SKIP LOCKED) besides, so that nobody waits and nothing is given twice.
        """
        found = self._tx.ledger.ahead.next(databit_id, actor, count)
        if found is None:
            found = self._next(databit_id, actor, count)
        new = {"held_by": actor, "held_until": until}
        old = {row.id: row for row in found}
        self._tx.update(items, dict.fromkeys(old, new), old, closed=True)
        return [claimed(row, actor) for row in found]

    def _next(self, databit_id: int, actor: str, count: int) -> list[Any]:
        of = {"databit_id": databit_id, "moment": now()}
        held = self._tx.fetch(HELD, actor=actor, count=count, **of)
        found = sorted([row for row in held if row.held], key=best_first)[:count]
        if len(found) < count:
            free = self._tx.fetch(FREE, count=count - len(found), **of)
            expired = [row for row in held if not row.held]
            if expired:
                free = sorted(free + expired, key=best_first)
            found += free[: count - len(found)]
        return found

    def release(self, ids: Sequence[int]) -> int:
        return self._tx.update(items, {i: {"held_by": None, "held_until": None} for i in ids})

    def suggest(
        self, found: Sequence[tuple[int, str, float, str]], engine: str, run_id: int | None
    ) -> int:
        """Keep suggestions (item, label, confidence 0–1, rationale); unsure items come first."""
        moment = now()
        ids = self._tx.insert(
            suggestions,
            [
                {
                    "item_id": item,
                    "label": label,
                    "confidence": confidence,
                    "rationale": rationale,
                    "engine": engine,
                    "run_id": run_id,
                    "created_at": moment,
                }
                for item, label, confidence, rationale in found
            ],
        )
        # What came back from production keeps its place at the front of the queue.
        ahead = {i: row.priority for i, row in self.raw([f[0] for f in found]).items() if row.why}
        return self._tx.update(
            items,
            {
                item: {
                    "suggestion": label,
                    "confidence": confidence,
                    "suggestion_id": i,
                    "priority": ahead.get(item, round(1 - confidence, 6)),
                }
                for i, (item, label, confidence, _) in zip(ids, found, strict=True)
            },
        )

    def decide(
        self,
        made: Sequence[Decision],
        kind: str,
        actor: str,
        surface: str,
        reason: str,
        rows: Mapping[int, Any] | None = None,
    ) -> int:
        """Write decisions, each with a row of its own in the history, and end the claims.

        Args:
            rows: The items as `raw` or `of_databit` gave them in this transaction.
        """
        moment = now()
        common = {
            "kind": kind,
            "reason": reason,
            "actor": actor,
            "surface": surface,
            "created_at": moment,
        }
        self._tx.insert(labels, [{"item_id": d.item_id, "label": d.label, **common} for d in made])
        said: dict[tuple[str, str | None], dict[str, Any]] = {}
        new: dict[int, dict[str, Any]] = {}
        for d in made:
            values = said.get((d.state, d.label))
            if values is None:
                values = said[d.state, d.label] = {
                    "state": d.state,
                    "label": d.label,
                    "decided_by": actor,
                    "decided_at": moment,
                    "held_by": None,
                    "held_until": None,
                }
            new[d.item_id] = values
        closed = all(d.state != "open" for d in made)
        return self._tx.update(items, new, rows, closed=closed)
