"""The change that a transaction records: what it is about, and the images of what it did."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Table

from databits.store.ledger import Image, Ledger
from databits.store.shapes import now


class Recording:
    """At most one change at a time."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.change_id: int | None = None
        self._about: dict[str, Any] | None = None
        self._images: list[Image] = []
        self._rows = 0

    def begin_change(
        self,
        operation: str,
        actor: str,
        surface: str,
        *,
        undo_of: int | None = None,
        run_id: int | None = None,
    ) -> None:
        """Start to record; the change gets its id and its row when the first row changes."""
        self._about = {
            "operation": operation,
            "actor": actor,
            "surface": surface,
            "undo_of": undo_of,
            "run_id": run_id,
        }

    def is_undo_of(self, change_id: int) -> None:
        """Say that the change being recorded takes another one back."""
        if self._about is not None:
            self._about["undo_of"] = change_id

    def end_change(self) -> int | None:
        """Write the change; returns its id, or None when nothing changed."""
        change_id, images, about = self.change_id, self._images, self._about
        if change_id is not None and about is not None:
            row = {"id": change_id, "state": "applied", "rows": self._rows, "at": now(), **about}
            self.ledger.add_images(change_id, images)
            self.ledger.add_change(row)
        self._about, self.change_id, self._images, self._rows = None, None, [], 0
        return change_id

    def _record(self, table: Table, images: Iterable[Image], rows: int) -> None:
        if rows:
            self._change(table)
            self._images += images
            self._rows += rows

    def _change(self, table: Table) -> int:
        """The id of the change being recorded."""
        if self._about is None:
            raise RuntimeError(f"a write to {table.name} outside a change")
        if self.change_id is None:
            self.change_id = self.ledger.next_change()
        return self.change_id
