"""How a call becomes a run, and how a worker executes it: once in effect, however often it is begun.

A run is begun at most `ATTEMPTS` times. What may pass by itself (a database or disk that was out of
reach, a worker that died) puts it back into the queue, to wait 2 s, then 8 s, and a little more by
chance; everything else ends it at once.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from sqlalchemy import Row
from sqlalchemy.exc import OperationalError

from databits import planning
from databits.admission import admit
from databits.change import Call, Progress, actor_of, actor_row, append
from databits.digest import digest
from databits.errors import Cancelled, Conflict, DatabitsError, Invalid, Unavailable
from databits.heartbeat import Heartbeat
from databits.model import Run
from databits.operation import CATALOGUE, STAGES, find
from databits.settings import Settings
from databits.store import Store
from databits.store.runs import RunLimit, tries
from databits.store.shapes import now

if TYPE_CHECKING:
    from databits.workbench import Workbench

log = logging.getLogger("databits")
ATTEMPTS = 3
KEY_LENGTH = 200
_FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


# queuing ------------------------------------------------------------------------------------------


def check_key(call: Call, key: str | None) -> None:
    """Raises:
    Invalid: for a key that is none, or of an operation that keeps none.
    """
    if key is None or call.op.effect == "read":
        return
    if not call.op.job:
        raise Invalid(
            f"{call.op.name} ends at once and keeps no key, so nothing was done. Only operations that "
            "become runs take one; call it again without."
        )
    if not 0 < len(key) <= KEY_LENGTH:
        raise Invalid(f"A key has 1 to {KEY_LENGTH} characters.")


def of_key(store: Store, call: Call, key: str) -> Run | None:
    """The run that the same actor started under this key before, ended or not.

    Raises:
        Conflict: when the key stands for another call.
    """
    row = store.runs.of_key(_name(call, key))
    if row is None:
        return None
    if (row.operation, row.arguments) != (call.op.name, call.arguments):
        raise Conflict(
            f"This key stands for run {row.id}, an earlier call of {row.operation}, and this call is "
            "another; nothing was done. Use a new key for a new call."
        )
    return store.runs.get(row.id)


def _before(store: Store, call: Call, key: str | None) -> Run | None:
    """The run that this call started before: by its key, or the same call that has not ended.

    Two calls that have keys, and different ones, are two.
    """
    named = None if key is None else _name(call, key)
    found = None if key is None else of_key(store, call, key)
    if found is not None or call.op.effect == "consequential":
        return found  # each approved plan is one run
    row = store.runs.like(call.op.name, call.arguments, call.actor.name)
    if row is None or (named and row.key):
        return None
    if named:
        store.runs.set(row.id, key=named)
    return store.runs.get(row.id)


def _name(call: Call, key: str) -> str:
    """The key as it is kept: everybody has their own."""
    return digest([call.actor.name, key])


def enqueue(workbench: "Workbench", call: Call, key: str | None = None) -> Run:
    """Queue a call, in the transaction that audits it; the same call again gives the same run."""

    def add(store: Store) -> Run:
        before = _before(store, call, key)
        if before is not None:
            return before
        plan_id = call.plan.id if call.plan else None
        call.run_id = store.runs.add(
            call.op.name,
            call.arguments,
            actor_row(call.actor),
            plan_id,
            None if key is None else _name(call, key),
        )
        call.spend_plan(store)
        call.audit(store, "queued")
        return store.runs.get(call.run_id)

    run = workbench.database.write(add)
    workbench.jobs.submit(run.id)
    return run


# executing ----------------------------------------------------------------------------------------


def execute(
    workbench: "Workbench",
    perform: Callable[[Call, Progress], BaseModel],
    run_id: int,
    worker: str,
    stop: threading.Event | None = None,
) -> Run:
    """Do the work of a run that the worker has taken; never raises for the run's failure."""
    database = workbench.database
    row = database.read(lambda store: store.runs.raw(run_id))
    if (row.state, row.worker) != ("running", worker):
        return database.read(lambda store: store.runs.get(run_id))  # another's by now

    def fail(error: DatabitsError, *, passing: bool = False) -> None:
        _fail(workbench, row, error, passing=passing)

    try:
        if tries(row) > ATTEMPTS:
            raise Unavailable(
                f"It was begun {ATTEMPTS} times, and the last time its worker died. Memory may be short: see "
                "worker.log."
            )
        call = _call(workbench, row)
        if (plan := call.plan) is not None:  # before hours of work that its commit would refuse
            database.read(lambda store: planning.check_current(workbench, store, plan))
        with Heartbeat(database, row, fail, stop) as beat:
            perform(call, beat.progress)
    except DatabitsError as error:
        fail(planning.renewed(workbench, error), passing=isinstance(error, Unavailable))
    except Exception as error:
        log.exception("run %s (%s) crashed", run_id, row.operation)
        crash = DatabitsError("It crashed; the server's log has the details.")
        fail(crash, passing=_passes(error))
    return database.read(lambda store: store.runs.get(run_id))


def _call(workbench: "Workbench", row: Row[Any]) -> Call:
    op = find(row.operation)
    # Again: the person may have lost the role since.
    call = admit(workbench, op, row.arguments, actor_of(row.actor))
    if row.plan_id:
        call.plan = workbench.database.read(lambda store: store.plans.get(row.plan_id))
    call.run_id, call.attempt = row.id, row.attempts
    return call


def _passes(error: Exception) -> bool:
    """Whether it may go well a little later."""
    if isinstance(error, OSError):
        return not isinstance(error, _FOR_GOOD)
    return isinstance(error, OperationalError)


def _fail(workbench: "Workbench", row: Row[Any], error: DatabitsError, *, passing: bool) -> None:
    """End a run, as it was taken, without a result; or let it wait for another attempt."""
    begun = tries(row)
    told = f"{error.phrase}: {error}"
    if begun > 1 and begun <= ATTEMPTS and not isinstance(error, Cancelled):
        told += f" It was tried {begun} times."
    wait_us = backoff_us(workbench.settings, begun)

    def write(store: Store) -> None:
        moment = now()
        if passing and begun < ATTEMPTS:
            words = f"will be tried again in {wait_us / 1e6:.0f} s"
            if store.runs.leave(
                row.id,
                row.attempts,
                state="queued",
                not_before=moment + wait_us,
                error=told,
                message=words,
            ):
                store.runs.note(row.id, [(moment, told), (moment, words)])
            return
        state = "cancelled" if isinstance(error, Cancelled) else "failed"
        if not store.runs.leave(
            row.id, row.attempts, state=state, error=told, message=state, finished_at=moment
        ):
            return  # it ended otherwise, or another worker has it
        store.runs.note(row.id, [(moment, told)])
        sha = digest(dict(row.arguments))
        append(store, actor_of(row.actor), row.operation, sha, state, told, run_id=row.id)

    workbench.database.write(write)


def backoff_us(settings: Settings, begun: int) -> int:
    """How long a run waits that was begun so many times: each time four times as long, and up to a quarter more."""
    first = settings.retry_seconds * 1e6
    return int(first * 4 ** (max(begun, 1) - 1) * random.uniform(1, 1.25))


def limits_of(settings: Settings) -> list[RunLimit]:
    """The limits of the settings, by the operations they are about.

    Raises:
        Invalid: for a name that is neither an operation that becomes runs nor a stage.
    """
    jobs = {op.name: op.stage for op in CATALOGUE.values() if op.job}
    found = []
    for name, most in settings.run_limits.items():
        if name not in jobs and name not in STAGES:
            raise Invalid(
                f"run_limits in the settings has a name that is no stage and no operation that becomes runs. "
                f"Stages: {', '.join(STAGES)}. Operations: {', '.join(sorted(jobs))}."
            )
        found.append(RunLimit(frozenset(j for j in jobs if name in (j, jobs[j])), most))
    return found
