"""Items: a record in the queue of a Databit, with suggestions, claims and decisions."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal_column, or_, select

from databits.errors import NotFound
from databits.model import Item
from databits.store.tables import databits, items, labels, records, suggestions
from databits.store.transaction import Transaction, _parts, now

DECIDED = ("approved", "rejected", "skipped")


class Decision(NamedTuple):
    """What a person says of one item."""

    item_id: int
    state: str
    label: str | None


class Filter(NamedTuple):
    """Which items of a Databit; None says nothing."""

    state: str | None = None
    label: str | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    contains: str | None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.state is not None:
            found.append(items.c.state == self.state)
        if self.label is not None:
            found.append(func.coalesce(items.c.label, items.c.suggestion) == self.label)
        if self.min_confidence is not None:
            found.append(items.c.confidence >= self.min_confidence)
        if self.max_confidence is not None:
            found.append(items.c.confidence <= self.max_confidence)
        if self.contains:
            found.append(records.c.text.icontains(self.contains, autoescape=True))
        return found


class Items:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def queue(
        self,
        databit_id: int,
        record_ids: Sequence[int],
        why: Mapping[int, str],
        priority: Mapping[int, float],
        feedback: Mapping[int, int] | None = None,
    ) -> list[int]:
        """Put records into a queue; those already there are passed over. Returns the new items."""
        there: set[int] = set()
        for part in _parts(record_ids):
            query = select(items.c.record_id).where(
                items.c.databit_id == databit_id, items.c.record_id.in_(part)
            )
            there.update(row.record_id for row in self._tx.rows(query))
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

    def raw(self, ids: Sequence[int]) -> dict[int, Row[Any]]:
        """Rows by id; ids that do not exist are left out."""
        found: dict[int, Row[Any]] = {}
        for part in _parts(ids):
            found.update(
                (row.id, row) for row in self._tx.rows(select(items).where(items.c.id.in_(part)))
            )
        return found

    def of_databit(self, databit_id: int, name: str, ids: Sequence[int]) -> dict[int, Row[Any]]:
        """The items, every one of which must be of this Databit.

        Raises:
            NotFound: naming up to five ids that are not.
        """
        found = {i: row for i, row in self.raw(ids).items() if row.databit_id == databit_id}
        missing = [str(i) for i in ids if i not in found]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise NotFound(
                f"{name} has no item {', '.join(missing[:5])}{more}; nothing was changed. "
                "list_items shows the ids of its items."
            )
        return found

    def page(self, databit_id: int, where: Filter, after: int, limit: int) -> list[Item]:
        query = self._select().where(
            items.c.databit_id == databit_id, items.c.id > after, *where.clauses()
        )
        return [_item(row) for row in self._tx.rows(query.order_by(items.c.id).limit(limit))]

    def count(self, databit_id: int, where: Filter) -> int:
        query = (
            select(func.count())
            .select_from(items.join(records, records.c.id == items.c.record_id))
            .where(items.c.databit_id == databit_id, *where.clauses())
        )
        return int(self._tx.value(query))

    def ids(self, databit_id: int, where: Filter) -> list[int]:
        query = (
            select(items.c.id)
            .join(records, records.c.id == items.c.record_id)
            .where(items.c.databit_id == databit_id, *where.clauses())
            .order_by(items.c.id)
        )
        return [row.id for row in self._tx.rows(query)]

    def get(self, item_id: int) -> Item:
        row = self._tx.one(self._select().where(items.c.id == item_id))
        if row is None:
            raise NotFound("There is no item of that id. list_items shows the items of a Databit.")
        return _item(row)

    def by_ids(self, ids: Sequence[int]) -> list[Item]:
        """The items in the order of `ids`."""
        found: dict[int, Item] = {}
        for part in _parts(ids):
            found.update(
                (r.id, _item(r)) for r in self._tx.rows(self._select().where(items.c.id.in_(part)))
            )
        return [found[i] for i in ids if i in found]

    def claim(self, databit_id: int, actor: str, count: int, until: int) -> list[int]:
        """Lease the next best open items: those the actor holds already first, then free ones.

        On SQLite the one writer makes this safe; on PostgreSQL rows that another transaction is
        claiming are passed over (SKIP LOCKED), so that nobody waits and nothing is given twice.
        """
        moment = now()
        # Each query is worded for its own partial index: a bound `state` would hide the second one.
        held = self._tx.rows(select(items).where(items.c.held_by == actor))
        mine = [
            row
            for row in held
            if row.databit_id == databit_id and row.state == "open" and row.held_until >= moment
        ]
        ids = [row.id for row in sorted(mine, key=lambda row: (-row.priority, row.id))][:count]
        if len(ids) < count:
            free = or_(items.c.held_until.is_(None), items.c.held_until < moment)
            query = (
                select(items.c.id)
                .where(
                    items.c.databit_id == databit_id,
                    items.c.state == literal_column("'open'"),
                    free,
                )
                .order_by(items.c.priority.desc(), items.c.id)
                .limit(count - len(ids))
                .with_for_update(skip_locked=True)
            )
            ids += [row.id for row in self._tx.rows(query)]
        self._tx.update(items, {i: {"held_by": actor, "held_until": until} for i in ids})
        return ids

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
        self, made: Sequence[Decision], kind: str, actor: str, surface: str, reason: str
    ) -> int:
        """Write decisions, each with a row of its own in the history, and end the claims."""
        moment = now()
        self._tx.insert(
            labels,
            [
                {
                    "item_id": d.item_id,
                    "kind": kind,
                    "label": d.label,
                    "reason": reason,
                    "actor": actor,
                    "surface": surface,
                    "created_at": moment,
                }
                for d in made
            ],
        )
        return self._tx.update(
            items,
            {
                d.item_id: {
                    "state": d.state,
                    "label": d.label,
                    "decided_by": actor,
                    "decided_at": moment,
                    "held_by": None,
                    "held_until": None,
                }
                for d in made
            },
        )

    def history(self, item_id: int) -> list[dict[str, Any]]:
        """Suggestions and decisions of an item, oldest first."""
        made = self._tx.rows(select(labels).where(labels.c.item_id == item_id))
        given = self._tx.rows(select(suggestions).where(suggestions.c.item_id == item_id))
        events = [
            {
                "at": r.created_at,
                "kind": r.kind,
                "label": r.label,
                "by": r.actor,
                "via": r.surface,
                "note": r.reason,
            }
            for r in made
        ]
        events += [
            {
                "at": r.created_at,
                "kind": "suggested",
                "label": r.label,
                "by": r.engine,
                "via": f"run {r.run_id}" if r.run_id else "",
                "note": f"{r.confidence:.0%} sure. {r.rationale}",
            }
            for r in given
        ]
        return sorted(events, key=lambda e: e["at"])

    def status(self, databit_id: int) -> dict[str, Any]:
        """Counts by state, label and reviewer."""
        mine = items.c.databit_id == databit_id
        states = self._tx.rows(
            select(items.c.state, func.count().label("n")).where(mine).group_by(items.c.state)
        )
        by_label = self._tx.rows(
            select(items.c.label, func.count().label("n"))
            .where(mine, items.c.state == "approved")
            .group_by(items.c.label)
            .order_by(func.count().desc(), items.c.label)
        )
        by_reviewer = self._tx.rows(
            select(items.c.decided_by, func.count().label("n"))
            .where(mine, items.c.decided_by.is_not(None))
            .group_by(items.c.decided_by)
            .order_by(items.c.decided_by)
        )
        suggested = self._tx.count(
            items, mine, items.c.suggestion.is_not(None), items.c.state == "open"
        )
        claimed = self._tx.count(items, mine, items.c.held_until >= now())
        return {
            **dict.fromkeys(("open", "labeled", "approved", "rejected", "skipped"), 0),
            **{row.state: row.n for row in states},
            "suggested": suggested,
            "claimed": claimed,
            "by_label": {row.label: row.n for row in by_label},
            "by_reviewer": {row.decided_by: row.n for row in by_reviewer},
        }

    def training_rows(self, databit_id: int) -> Sequence[Row[Any]]:
        """(item_id, record_id, label, text) of the approved items, by item."""
        return self._tx.rows(
            select(items.c.id.label("item_id"), items.c.record_id, items.c.label, records.c.text)
            .join(records, records.c.id == items.c.record_id)
            .where(items.c.databit_id == databit_id, items.c.state == "approved")
            .order_by(items.c.id)
        )

    def texts(self, databit_id: int) -> list[str]:
        """The text of every item of a Databit."""
        query = (
            select(records.c.text)
            .join(items, items.c.record_id == records.c.id)
            .where(items.c.databit_id == databit_id)
        )
        return [row.text for row in self._tx.rows(query)]

    def open_rows(self, databit_id: int, only_new: bool) -> Sequence[Row[Any]]:
        """(item_id, record_id, text) of the undecided items; `only_new`: those with no suggestion."""
        query = (
            select(items.c.id.label("item_id"), items.c.record_id, records.c.text)
            .join(records, records.c.id == items.c.record_id)
            .where(items.c.databit_id == databit_id, items.c.state == "open")
            .order_by(items.c.id)
        )
        return self._tx.rows(query.where(items.c.suggestion.is_(None)) if only_new else query)

    def _select(self) -> Select[Any]:
        holder = and_(items.c.held_until.is_not(None), items.c.held_until >= now())
        return (
            select(
                items.c.id,
                databits.c.name.label("databit"),
                items.c.state,
                records.c.text,
                items.c.label,
                items.c.suggestion,
                items.c.confidence,
                items.c.why,
                items.c.held_by,
                holder.label("held"),
            )
            .join(databits, databits.c.id == items.c.databit_id)
            .join(records, records.c.id == items.c.record_id)
        )


def _item(row: Row[Any]) -> Item:
    found = Item.model_validate(row)
    return found if row.held else found.model_copy(update={"held_by": None})
