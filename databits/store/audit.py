"""The audit log: append-only rows, each holding the hash of the one before."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Row, Select, select, text

from databits.model import AuditEvent
from databits.store.tables import audit
from databits.store.transaction import Transaction, now

GENESIS = "0" * 64
_HASHED = tuple(c.name for c in audit.c if c.name != "hash")


def digest(value: Any) -> str:
    """sha256 of the canonical JSON (sorted keys, no spaces, UTF-8)."""
    canonical = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def link(event: Mapping[str, Any]) -> str:
    """The hash of an audit row: over every column but itself, the hash before included."""
    return digest([event[name] for name in _HASHED])


class Audit:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def append(self, **event: Any) -> int:
        """Append one event; its id, time and hashes are set here."""
        if self._tx.db.dialect.name == "postgresql":
            # One appender at a time: two must not link to the same row.
            self._tx.db.execute(text("SELECT pg_advisory_xact_lock(7305)"))
        last = self._tx.value(select(audit.c.hash).order_by(audit.c.id.desc()).limit(1))
        row = {
            "change_id": None,
            "run_id": None,
            "plan_id": None,
            **event,
            "id": self._tx.allocate(audit)[0],
            "at": now(),
            "previous": last or GENESIS,
        }
        row["hash"] = link(row)
        self._tx.db.execute(audit.insert().values(**row))
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

    def count(self) -> int:
        return self._tx.count(audit)

    def events(self, after: int = 0, limit: int = 10_000) -> Iterator[Row[Any]]:
        """Every event, oldest first, read in pages."""
        while rows := self._tx.rows(
            select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(limit)
        ):
            yield from rows
            after = rows[-1].id

    def first_broken(self) -> tuple[int, int | None]:
        """(events checked, id of the first whose hash does not hold, or None)."""
        previous, checked = GENESIS, 0
        for row in self.events():
            event = row._asdict()
            if event["previous"] != previous or link(event) != event["hash"]:
                return checked, int(event["id"])
            previous, checked = event["hash"], checked + 1
        return checked, None

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
