"""The audit log: append-only rows, each holding the hash of the one before."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Row, Select, func, insert, select

from databits.model import AuditEvent
from databits.store.tables import audit, changes
from databits.store.transaction import Transaction, now

GENESIS = "0" * 64
_LAST = select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)
_ADD = insert(audit)
_HASHED = tuple(c.name for c in audit.c if c.name not in ("hash", "trace_id"))


def digest(value: Any) -> str:
    """sha256 of the canonical JSON (sorted keys, no spaces, UTF-8)."""
    canonical = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
    )
    # surrogatepass: a refused argument may hold half a character, and is on record all the same.
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def link(event: Mapping[str, Any]) -> str:
    """The hash of an audit row: over every column but itself, the hash before included.

    A row without a trace hashes as rows did before there were traces.
    """
    values = [event[name] for name in _HASHED]
    return digest(values if event["trace_id"] is None else [*values, event["trace_id"]])


class Audit:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def append(self, **event: Any) -> int:
        """Append one event; its id, time and hashes are set here."""
        last = self._tx.one(_LAST)  # there is one writer: nobody else links to it
        row = {
            "change_id": None,
            "run_id": None,
            "plan_id": None,
            "trace_id": None,
            **event,
            "id": last.id + 1 if last else 1,
            "at": now(),
            "previous": last.hash if last else GENESIS,
        }
        row["hash"] = link(row)
        self._tx.db.execute(_ADD, row)
        return int(row["id"])

    def page(
        self,
        after: int,
        limit: int,
        *,
        actor: str | None = None,
        operation: str | None = None,
        outcome: str | None = None,
        change_id: int | None = None,
    ) -> list[AuditEvent]:
        """Newest first; `after` is the id that the page before ended with, 0 for the first."""
        query = (
            self._where(actor, operation, outcome, change_id)
            .order_by(audit.c.id.desc())
            .limit(limit)
        )
        if after:
            query = query.where(audit.c.id < after)
        return [AuditEvent.model_validate(row) for row in self._tx.rows(query)]

    def count(
        self,
        *,
        actor: str | None = None,
        operation: str | None = None,
        outcome: str | None = None,
        change_id: int | None = None,
    ) -> int:
        found = self._where(actor, operation, outcome, change_id)
        return self._tx.count(found.subquery())  # type: ignore[arg-type]

    def events(self, after: int = 0, limit: int = 10_000) -> Iterator[Row[Any]]:
        """Every event, oldest first, read in pages."""
        while rows := self._tx.rows(
            select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(limit)
        ):
            yield from rows
            after = rows[-1].id

    def first_broken(self) -> tuple[int, int | None]:
        """(events checked, id of the first that is not what was appended or is gone, or None).

        The chain itself can not tell that its newest rows were cut off; a change without one can.
        """
        newest = self._tx.value(select(func.max(changes.c.id))) or 0  # before: each has its event
        previous, checked, last, change = GENESIS, 0, 0, 0
        for row in self.events():
            event = row._asdict()
            if event["previous"] != previous or link(event) != event["hash"]:
                return checked, int(event["id"])
            previous, checked, last = event["hash"], checked + 1, int(event["id"])
            change = max(change, event["change_id"] or 0)
        return checked, last + 1 if newest > change else None

    def _where(
        self, actor: str | None, operation: str | None, outcome: str | None, change_id: int | None
    ) -> Select[Any]:
        query = select(audit)
        for column, wanted in (
            (audit.c.actor, actor),
            (audit.c.operation, operation),
            (audit.c.outcome, outcome),
            (audit.c.change_id, change_id),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        return query
