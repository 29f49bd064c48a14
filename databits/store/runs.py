"""Runs: long operations as rows, claimed and executed by workers."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, or_, select, update

from databits.errors import NotFound
from databits.model import Run
from databits.store.tables import runs
from databits.store.transaction import Transaction, now

ENDED = ("succeeded", "failed", "cancelled")


class Runs:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        actor: Mapping[str, Any],
        plan_id: int | None,
    ) -> int:
        return self._tx.add(
            runs,
            operation=operation,
            arguments=dict(arguments),
            actor=dict(actor),
            state="queued",
            progress=0.0,
            message="waiting for a worker",
            attempts=0,
            cancel=0,
            plan_id=plan_id,
            created_at=now(),
        )

    def raw(self, run_id: int) -> Row[Any]:
        row = self._tx.get(runs, run_id)
        if row is None:
            raise NotFound("There is no run of that id. list_runs shows the runs.")
        return row

    def get(self, run_id: int) -> Run:
        return _run(self.raw(run_id))

    def page(self, state: str | None, after: int, limit: int) -> list[Run]:
        """Newest first; `after` is the id that the page before ended with, 0 for the first."""
        query = select(runs).order_by(runs.c.id.desc()).limit(limit)
        if after:
            query = query.where(runs.c.id < after)
        if state is not None:
            query = query.where(runs.c.state == state)
        return [_run(row) for row in self._tx.rows(query)]

    def count(self, state: str | None = None) -> int:
        return self._tx.count(runs, *([] if state is None else [runs.c.state == state]))

    def waiting(self) -> bool:
        """Whether a worker would find something to do."""
        lost = (runs.c.state == "running") & (runs.c.lease_until < now())
        return (
            self._tx.one(select(runs.c.id).where(or_(runs.c.state == "queued", lost)).limit(1))
            is not None
        )

    def orphan(self) -> int:
        """Free what a worker that is certainly gone was working on."""
        lost = [row.id for row in self._tx.rows(select(runs.c.id).where(runs.c.state == "running"))]
        for run_id in lost:
            self.set(run_id, lease_until=0)
        return len(lost)

    def take(self, worker: str, lease_us: int) -> Row[Any] | None:
        """Claim the oldest run that waits, or whose worker has died."""
        moment = now()
        lost = (runs.c.state == "running") & (runs.c.lease_until < moment)
        query = select(runs).where(or_(runs.c.state == "queued", lost)).order_by(runs.c.id).limit(1)
        row = self._tx.one(query.with_for_update(skip_locked=True))
        if row is not None:
            self.set(
                row.id,
                state="running",
                worker=worker,
                lease_until=moment + lease_us,
                attempts=row.attempts + 1,
                message="started",
            )
        return row

    def set(self, run_id: int, **values: Any) -> None:
        self._tx.db.execute(update(runs).where(runs.c.id == run_id).values(**values))

    def is_mine(self, run_id: int, attempt: int) -> bool:
        """Whether the run is still being worked on as it was taken the `attempt`th time."""
        row = self.raw(run_id)
        return bool(row.state == "running" and row.attempts == attempt)

    def beat(self, run_id: int, worker: str, lease_us: int, **values: Any) -> bool:
        """Prolong the lease; False when the run is no longer this worker's or was cancelled."""
        found = self._tx.db.execute(
            update(runs)
            .where(runs.c.id == run_id, runs.c.worker == worker, runs.c.state == "running")
            .values(lease_until=now() + lease_us, **values)
            .returning(runs.c.cancel)
        ).scalar()
        return found == 0


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        operation=row.operation,
        state=row.state,
        progress=row.progress,
        message=row.message,
        error=row.error,
        result=row.result,
        actor=row.actor["name"],
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
