"""Runs: long operations as rows, claimed and executed by workers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, delete, func, or_, select, update

from databits.errors import NotFound
from databits.model import Run
from databits.store.pages import newest_first
from databits.store.shapes import now
from databits.store.tables import run_log, runs
from databits.store.transaction import Transaction

FIRST_LINES, LAST_LINES = 100, 400  # of a run's log, which stay when it grows longer
_OPEN = runs.c.state.in_(("queued", "running"))


class RunLimit(NamedTuple):
    """How many runs of these operations may be executed at once, all workers together."""

    operations: frozenset[str]
    most: int


class Runs:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        actor: Mapping[str, Any],
        plan_id: int | None,
        key: str | None = None,
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
            key=key,
            created_at=now(),
        )

    # reading ------------------------------------------------------------------------------

    def raw(self, run_id: int) -> Row[Any]:
        row = self._tx.get(runs, run_id)
        if row is None:
            raise NotFound("There is no run of that id. list_runs shows the runs.")
        return row

    def get(self, run_id: int) -> Run:
        return _run(self.raw(run_id))

    def page(self, state: str | None, after: int, limit: int) -> list[Run]:
        """Newest first; `after` is the id that the page before ended with, 0 for the first."""
        query = newest_first(select(runs).where(*_in(state)), runs.c.id, after, limit)
        return [_run(row) for row in self._tx.rows(query)]

    def count(self, state: str | None = None) -> int:
        return self._tx.count(runs, *_in(state))

    def of_key(self, key: str) -> Row[Any] | None:
        return self._tx.one(select(runs).where(runs.c.key == key))

    def like(self, operation: str, arguments: Mapping[str, Any], actor: str) -> Row[Any] | None:
        """The oldest run of the same call by the same actor that has not ended and goes on."""
        query = (
            select(runs)
            .where(_OPEN, runs.c.operation == operation, runs.c.cancel == 0)
            .order_by(runs.c.id)
        )
        for row in self._tx.rows(query):
            if row.arguments == arguments and row.actor["name"] == actor:
                return row
        return None

    def has_open(self, *states: str) -> bool:
        """Whether there is a run in one of the states; none given: one that has not ended."""
        where = runs.c.state.in_(states) if states else _OPEN
        return self._tx.one(select(runs.c.id).where(where).limit(1)) is not None

    def workers(self) -> set[str]:
        """Who is executing runs, as far as the rows say."""
        found = self._tx.rows(select(runs.c.worker).where(runs.c.state == "running").distinct())
        return {row.worker for row in found if row.worker}

    # working ------------------------------------------------------------------------------

    def waiting(self, limits: Sequence[RunLimit] = ()) -> bool:
        """Whether a worker would find something to do."""
        return self._tx.one(self._next(now(), limits)) is not None

    def take(self, worker: str, lease_us: int, limits: Sequence[RunLimit] = ()) -> Row[Any] | None:
        """Claim the oldest run that is due, or whose worker's lease has run out."""
        moment = now()
        query = self._next(moment, limits)
        row = self._tx.one(query.with_for_update(skip_locked=True))
        if row is not None:
            self.set(
                row.id,
                state="running",
                worker=worker,
                lease_until=moment + lease_us,
                attempts=row.attempts + 1,
                not_before=None,
                error=None,
                message="started",
            )
            self.note(row.id, [(moment, f"started, attempt {row.attempts + 1}")])
        return row

    def _next(self, moment: int, limits: Sequence[RunLimit]) -> Select[Any]:
        due = (runs.c.state == "queued") & (
            runs.c.not_before.is_(None) | (runs.c.not_before <= moment)
        )
        lost = (runs.c.state == "running") & (runs.c.lease_until < moment)
        query = select(runs).where(or_(due, lost)).order_by(runs.c.id).limit(1)
        full = self._full(moment, limits)
        return query.where(runs.c.operation.not_in(full)) if full else query

    def _full(self, moment: int, limits: Sequence[RunLimit]) -> list[str]:
        """Operations of which no further run may be begun now."""
        if not limits:
            return []
        query = (
            select(runs.c.operation, func.count())
            .where(runs.c.state == "running", runs.c.lease_until >= moment)
            .group_by(runs.c.operation)
        )
        working: dict[str, int] = dict(map(tuple, self._tx.rows(query)))
        full: set[str] = set()
        for limit in limits:
            if sum(working.get(name, 0) for name in limit.operations) >= limit.most:
                full |= limit.operations
        return sorted(full)

    def set(self, run_id: int, **values: Any) -> None:
        self._tx.db.execute(update(runs).where(runs.c.id == run_id).values(**values))

    def is_mine(self, run_id: int, attempt: int) -> bool:
        """Whether the run is still being worked on as it was taken the `attempt`th time."""
        row = self.raw(run_id)
        return bool(row.state == "running" and row.attempts == attempt)

    def leave(self, run_id: int, attempt: int, **values: Any) -> bool:
        """End the `attempt`th execution of a run; False when it had ended otherwise."""
        done = self._tx.db.execute(
            update(runs)
            .where(runs.c.id == run_id, runs.c.attempts == attempt, runs.c.state == "running")
            .values(worker=None, lease_until=None, **values)
        )
        return done.rowcount == 1

    def beat(self, run_id: int, attempt: int, lease_us: int, **values: Any) -> int | None:
        """Prolong the lease; returns whether to cancel (0 or 1), None when it is another's now."""
        found: int | None = self._tx.db.execute(
            update(runs)
            .where(runs.c.id == run_id, runs.c.attempts == attempt, runs.c.state == "running")
            .values(lease_until=now() + lease_us, **values)
            .returning(runs.c.cancel)
        ).scalar()
        return found

    def free(self, dead: Collection[str], wait_us: Callable[[int], int]) -> int:
        """Put the runs of workers that are certainly dead back into the queue; returns how many.

        Args:
            wait_us: How long each waits, by how often it was tried.
        """
        query = select(runs).where(runs.c.state == "running", runs.c.worker.in_(list(dead)))
        lost = self._tx.rows(query) if dead else []
        moment = now()
        for row in lost:
            due = moment + wait_us(tries(row))
            self.leave(
                row.id,
                row.attempts,
                state="queued",
                not_before=due,
                message="its worker died; it will be tried again",
            )
            self.note(row.id, [(moment, "its worker died")])
        return len(lost)

    # the log ------------------------------------------------------------------------------

    def note(self, run_id: int, lines: Sequence[tuple[int, str]]) -> None:
        """Add lines (microseconds since the epoch, text) to the log; the middle of a long one goes."""
        if not lines:
            return
        self._tx.insert(run_log, [{"run_id": run_id, "at": at, "message": m} for at, m in lines])
        if self._tx.count(run_log, run_log.c.run_id == run_id) <= FIRST_LINES + LAST_LINES:
            return
        ids = select(run_log.c.id).where(run_log.c.run_id == run_id)
        first = ids.order_by(run_log.c.id).offset(FIRST_LINES - 1).limit(1)
        last = ids.order_by(run_log.c.id.desc()).offset(LAST_LINES - 1).limit(1)
        between = run_log.c.id.between(self._tx.value(first) + 1, self._tx.value(last) - 1)
        self._tx.db.execute(delete(run_log).where(run_log.c.run_id == run_id, between))

    def log(self, run_id: int, last: int) -> list[str]:
        """The last lines of the log, oldest first, each with its time of day (UTC)."""
        query = (
            select(run_log.c.at, run_log.c.message)
            .where(run_log.c.run_id == run_id)
            .order_by(run_log.c.id.desc())
            .limit(last)
        )
        return [
            f"{datetime.fromtimestamp(row.at / 1e6, UTC):%H:%M:%S} {row.message}"
            for row in reversed(self._tx.rows(query))
        ]

    def watched(self, run_id: int, last: int) -> Run:
        """A run with the last lines of its log, and when it was last heard of."""
        row = self.raw(run_id)
        told = self._tx.value(select(func.max(run_log.c.at)).where(run_log.c.run_id == run_id))
        heard = max(row.finished_at or 0, told or 0) or None
        found = _run(row).model_dump() | {"log": self.log(run_id, last), "updated_at": heard}
        return Run.model_validate(found)


def _in(state: str | None) -> list[ColumnElement[bool]]:
    return [] if state is None else [runs.c.state == state]


def tries(row: Row[Any]) -> int:
    """How often a run was begun and not given back: what counts against the most attempts."""
    return int(row.attempts) - int((row.cost or {}).get("given_back", 0))


def _run(row: Row[Any]) -> Run:
    cost = row.cost or {}
    return Run(
        id=row.id,
        operation=row.operation,
        state=row.state,
        progress=row.progress,
        message=row.message,
        error=row.error,
        result=row.result,
        actor=row.actor["name"],
        attempts=tries(row),
        not_before=row.not_before,
        wall_s=cost.get("wall_s"),
        cpu_s=cost.get("cpu_s"),
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
