"""Changes: what each write did, and how to take it back."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError

from databits.errors import Conflict, NotFound
from databits.model import Change
from databits.store.names import COUNTED, dependants
from databits.store.prepared import among
from databits.store.tables import CHANGED, DERIVED, change_rows, changes, metadata
from databits.store.transaction import Transaction

_TABLES = {t.name: t for t in CHANGED}


class Changes:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def get(self, change_id: int) -> Change:
        row = self._tx.get(changes, change_id)
        if row is None:
            raise NotFound("There is no change of that id. list_changes shows the changes.")
        return Change.model_validate(row)

    def undo(self, change_id: int) -> int:
        """Put every row of a change back as it was; returns how many.

        Runs inside the change that records the undo itself, so an undo can be undone.

        Raises:
            Conflict: when it is undone already, or later work rests on it; the text names that work.
        """
        self._tx.is_undo_of(change_id)
        change, images = self.check_undo(change_id)
        try:
            self._put_back(images)
            self._tx.settle()  # here and now, not together with others
        except IntegrityError:
            raise Conflict(
                f"Change {change_id} can not be undone: what it would bring back has a name that is taken by now, or "
                "rests on something that is gone. list_changes shows what came later; undo that first."
            ) from None
        self._mark(change)
        return sum(len(image.ids) for image in images)

    def check_undo(self, change_id: int) -> tuple[Change, list["Effect"]]:
        """The change and what it did, if nothing that came later stands in the way of an undo.

        Raises:
            Conflict: as `undo` does.
        """
        change = self.get(change_id)
        effects = self.effects([change_id])[change_id]
        self.refuse_if_not_undoable(change, effects, self.newest())
        return change, effects

    def refuse_if_not_undoable(
        self, change: Change, effects: Sequence["Effect"], newest: int
    ) -> None:
        """Raises Conflict as `undo` does; `newest` as `newest` gives it."""
        if change.state == "undone":
            raise Conflict(f"Change {change.id} is undone already.")
        self._refuse_if_rested_upon(change.id, effects, newest)

    def newest(self) -> int:
        """The newest change that stands; 0 when there is none."""
        return int(
            self._tx.value(select(func.max(changes.c.id)).where(changes.c.state == "applied")) or 0
        )

    def effects(self, ids: Sequence[int]) -> dict[int, list["Effect"]]:
        """What changes did, by change, in the order in which they did it."""
        self._tx.look()
        text = "" if self._tx.driver.sqlite else "::text"
        found = self._tx.driver.execute(
            f"SELECT change_id, table_name, row_id, last_id, kind, before{text}, after{text}"
            f" FROM change_rows WHERE change_id {self._tx.driver.listed()} ORDER BY change_id, id",
            (self._tx.driver.ids(ids),),
        )
        parsed: dict[str | None, Any] = {None: None}  # most rows of a batch say the same
        told: dict[int, list[Effect]] = {i: [] for i in ids}
        for change_id, table, first, last, kind, *images in found:
            for said in images:
                if said not in parsed:
                    parsed[said] = json.loads(said)
            before, after = map(parsed.__getitem__, images)
            rows = range(first, (last or first) + 1)
            told[change_id].append(Effect(table, rows, kind, before, after))
        return told

    def _put_back(self, images: Sequence["Effect"]) -> None:
        # Newest image first; runs of one kind on one table go in one statement.
        for table, kind, run in _runs(images[::-1]):
            if kind == "insert":
                self._tx.delete(_TABLES[table], [i for image in run for i in image.ids])
            elif kind == "delete":
                self._tx.insert(_TABLES[table], [image.before for image in run])
            else:
                self._tx.update(_TABLES[table], {image.ids[0]: image.before for image in run})

    def _mark(self, change: Change) -> None:
        """An undo takes the effect of its target away; undoing the undo brings it back."""
        state, current = "undone", change
        while True:
            self._tx.db.execute(
                update(changes).where(changes.c.id == current.id).values(state=state)
            )
            if current.undo_of is None:
                return
            current = self.get(current.undo_of)
            state = "applied" if state == "undone" else "undone"

    def _refuse_if_rested_upon(
        self, change_id: int, images: Sequence["Effect"], newest: int
    ) -> None:
        later = self._later(change_id, images) if newest > change_id else []
        if later:
            names = ", ".join(f"change {c.id} ({c.operation} by {c.actor})" for c in later[:3])
            more = f" and {len(later) - 3} more" if len(later) > 3 else ""
            raise Conflict(
                f"Change {change_id} can not be undone: {names}{more} came later on the same rows. Undo that first."
            )
        own: dict[str, list[range]] = {}
        for image in images:
            if image.kind == "insert":
                own.setdefault(image.table, []).append(image.ids)
        for table, ranges in own.items():
            found = self._dependants(table, ranges, own)
            if found:
                raise Conflict(
                    f"Change {change_id} can not be undone: {', '.join(found)} rest on it."
                )

    def _later(self, change_id: int, images: Sequence["Effect"]) -> list[Change]:
        """Standing changes after this one that touched the same rows and columns.

        An undo counts where it took back something older than this change: with something newer,
        the two cancel out.
        """
        counts = (
            changes.c.id > change_id,
            changes.c.state == "applied",
            or_(changes.c.undo_of.is_(None), changes.c.undo_of < change_id),
        )
        columns: dict[tuple[str, int], set[str] | None] = {}
        for image in images:
            touched = set(image.after) if image.kind == "update" else None
            for i in image.ids:
                known = columns.setdefault((image.table, i), set())
                both = None if known is None or touched is None else known | touched
                columns[image.table, i] = both
        found: dict[int, Change] = {}
        for table in {image.table for image in images}:
            ids = [i for image in images if image.table == table for i in image.ids]
            # Ranges of inserted rows need no look: what is inserted later was not there before.
            rows = self._tx.rows(
                select(changes, change_rows.c.row_id, change_rows.c.kind, change_rows.c.after)
                .join(changes, changes.c.id == change_rows.c.change_id)
                .where(change_rows.c.table_name == table, self._within(change_rows.c.row_id, ids))
                .where(*counts)
            )
            for row in rows:
                mine = columns[table, row.row_id]
                if mine is None or row.kind != "update" or mine & set(row.after):
                    found[row.id] = Change.model_validate(row)
        return sorted(found.values(), key=lambda c: -c.id)

    def _dependants(
        self, table: str, ranges: Sequence[range], own: Mapping[str, Sequence[range]]
    ) -> list[str]:
        """What later work points at these rows, by name and with the change that made it."""
        found = []
        for child in metadata.sorted_tables:
            for key in child.foreign_keys:
                if key.column.table.name != table or child.name in DERIVED:
                    continue
                ids = [i for part in ranges for i in part]
                mine = [i for part in own.get(child.name, ()) for i in part]
                query = select(child.c.id).where(self._within(key.parent, ids))
                if mine:
                    query = query.where(~self._within(child.c.id, mine))
                some = query.order_by(child.c.id).limit(COUNTED + 1)
                rows = [row.id for row in self._tx.rows(some)]
                if rows:
                    found += dependants(self._tx, child.name, rows)
        return found

    def _within(self, column: Any, ids: Sequence[int]) -> Any:
        """`column` is one of `ids`: a range where they follow on each other, else a list."""
        if ids and ids[-1] - ids[0] + 1 == len(ids) and len(ids) > 1 and _ordered(ids):
            return column.between(ids[0], ids[-1])
        return among(column, self._tx.driver.sqlite, self._tx.driver.ids(ids))


class Effect(NamedTuple):
    """What a change did to a row, or to all of `ids` when it inserted them."""

    table: str
    ids: range
    kind: str
    before: Any
    after: Any


def _ordered(ids: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(ids))


def _runs(images: Sequence[Effect]) -> list[tuple[str, str, list[Effect]]]:
    """Consecutive images of one table, kind and set of columns, none of them twice the same row."""
    found: list[tuple[str, str, list[Effect]]] = []
    seen: set[int] = set()
    key: tuple[str, str, frozenset[str]] | None = None
    for image in images:
        mine = (image.table, image.kind, frozenset(image.before or ()))
        if mine != key or image.ids[0] in seen:
            found.append((image.table, image.kind, []))
            key, seen = mine, set()
        found[-1][2].append(image)
        seen.add(image.ids[0])
    return found
