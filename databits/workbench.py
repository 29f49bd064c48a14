"""The workbench: the resources operations need, and the one way to run one."""

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from sqlalchemy import Row

from databits.actor import Actor
from databits.change import Call, Progress, Work, actor_of, actor_row, append
from databits.errors import Cancelled, Conflict, DatabitsError, NotAllowed, Unavailable
from databits.heartbeat import Heartbeat
from databits.model import Plan, Planned, Run
from databits.operation import Operation, find
from databits.settings import Settings
from databits.store import Store
from databits.store.audit import digest
from databits.store.database import Database
from databits.store.transaction import now

if TYPE_CHECKING:
    from databits.ports import Jobs, Lake, Serving

log = logging.getLogger("databits")
_NO_PLATFORM = "A bare workbench has no platform. Use databits.workbench.connect(settings)."
ATTEMPTS = 3


class Workbench:
    """Resources for one deployment; a platform gives what differs there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.url)

    @cached_property
    def lake(self) -> "Lake":
        raise Unavailable(_NO_PLATFORM)

    @cached_property
    def jobs(self) -> "Jobs":
        raise Unavailable(_NO_PLATFORM)

    @cached_property
    def serving(self) -> "Serving":
        raise Unavailable(_NO_PLATFORM)

    # the one way to run an operation ---------------------------------------------------------

    def run(
        self,
        name: str,
        arguments: Mapping[str, Any],
        actor: Actor,
        *,
        progress: Progress | None = None,
    ) -> BaseModel:
        """Check, run and audit one operation.

        Returns:
            The operation's output; a `Run` for a job; a `Planned` for a consequential call that no
            person has approved yet.

        Raises:
            DatabitsError: with a text for the caller. Nothing was changed then.
        """
        op = find(name)
        try:
            call = self._admit(op, arguments, actor)
            if op.effect == "consequential":
                plan = self._plan(call)
                if plan.state != "approved":
                    return Planned(plan=plan, next=_how_to_approve(plan))
                call.plan = plan
            if op.job:
                return self._enqueue(call)
            return self._perform(call, progress)
        except DatabitsError as error:
            self._audit_refusal(op, arguments, actor, error)
            raise
        except Exception:
            crash = DatabitsError("It crashed; the server's log has the details.")
            self._audit_refusal(op, arguments, actor, crash)
            raise

    def propose(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> Plan:
        """The plan of a consequential call, without carrying it out whatever its state.

        Calling again while nothing moved gives the same plan.
        """
        op = find(name)
        try:
            return self._plan(self._admit(op, arguments, actor))
        except DatabitsError as error:
            self._audit_refusal(op, arguments, actor, error)
            raise

    def _plan(self, call: Call) -> Plan:

        def make(store: Store) -> Plan:
            preview, current = call.preview(store)
            known = store.plans.open(current, call.actor.name)
            if known is not None:
                return known
            expires = now() + self.settings.plan_hours * 3_600_000_000
            plan_id = store.plans.add(
                call.op.name,
                call.arguments,
                current,
                preview.model_dump(mode="json"),
                call.actor.name,
                expires,
                actor_row(call.actor),
            )
            call.audit(store, "planned", plan_id=plan_id)
            return store.plans.get(plan_id)

        return self.database.write(make)

    def is_current(self, store: Store, plan: Plan) -> bool:
        """Whether what a plan was made from is still so."""
        row = store.plans.raw(plan.id)
        op = find(row.operation)
        call = Call(self, op, op.input.model_validate(row.arguments), actor_of(row.actor))
        try:
            return call.preview(store)[1] == plan.digest
        except DatabitsError:
            return False

    def carry_out(self, plan_id: int) -> BaseModel:
        """Run an approved plan on behalf of whoever asked for it."""
        row = self.database.read(lambda store: store.plans.raw(plan_id))
        if row.state != "approved":
            raise Conflict(
                f"Plan {plan_id} is {row.state}; only an approved plan can be carried out."
            )
        return self.run(row.operation, row.arguments, actor_of(row.actor))

    def execute(self, run_id: int, worker: str) -> Run:
        """Do the work of a claimed run; called by workers only. Never raises for the run's failure."""
        row = self.database.read(lambda store: store.runs.raw(run_id))
        actor = actor_of(row.actor)
        beat = Heartbeat(self.database, run_id, worker)
        try:
            op = find(row.operation)
            if row.attempts > ATTEMPTS:
                raise Unavailable(
                    f"Its worker died {ATTEMPTS} times while doing this. Memory may be short: see worker.log."
                )
            plan = (
                self.database.read(lambda store: store.plans.get(row.plan_id))
                if row.plan_id
                else None
            )
            call = Call(
                self,
                op,
                op.input.model_validate(row.arguments),
                actor,
                plan=plan,
                run_id=run_id,
                attempt=row.attempts,
            )
            with beat:
                self._perform(call, beat.progress)
        except DatabitsError as error:
            self._fail(row, actor, error)
        except Exception:
            log.exception("run %s (%s) crashed", run_id, row.operation)
            self._fail(row, actor, DatabitsError("It crashed; the server's log has the details."))
        return self.database.read(lambda store: store.runs.get(run_id))

    def provide(
        self, need: str, store: Store | None, actor: Actor, work: Work | None = None
    ) -> Any:
        """What a parameter of that name stands for."""
        if need == "actor":
            return actor
        if need == "store":
            return store
        if need == "work":
            return work
        return self if need == "workbench" else getattr(self, need)

    # steps --------------------------------------------------------------------------------

    def _admit(self, op: Operation, arguments: Mapping[str, Any], actor: Actor) -> Call:
        """Role and arguments checked, nothing done yet."""
        if not actor.covers(op.role):
            raise NotAllowed(
                f"{op.name} needs the role {op.role}; you are {actor.role}. Ask an admin for it."
            )
        if op.people_only and not actor.person:
            raise NotAllowed(
                f"{op.name} is for people: in the chat or the Approvals page, or with the command "
                "`databits approve ID`. Software can not do it for them."
            )
        return Call(self, op, op.parse(arguments), actor)

    def _perform(self, call: Call, progress: Progress | None) -> BaseModel:
        op = call.op

        def body(store: Store | None, work: Work | None = None) -> BaseModel:
            given = {need: self.provide(need, store, call.actor, work) for need in op.needs}
            return op.fn(**given, **dict(call.asked))

        if "work" in op.needs:
            work = Work(call, progress)
            result = body(None, work)
            if work.result is None and op.effect != "read":
                raise RuntimeError(f"{op.name} ended without a commit")
            return result
        if op.effect == "read":
            return self.database.read(body) if "store" in op.needs else body(None)
        return self.database.write(lambda store: call.apply(store, body))

    def _enqueue(self, call: Call) -> Run:
        def add(store: Store) -> Run:
            plan_id = call.plan.id if call.plan else None
            call.run_id = store.runs.add(
                call.op.name, call.arguments, actor_row(call.actor), plan_id
            )
            call.spend_plan(store)
            call.audit(store, "queued")
            return store.runs.get(call.run_id)

        run = self.database.write(add)
        self.jobs.submit(run.id)
        return run

    def _fail(self, run: Row[Any], actor: Actor, error: DatabitsError) -> None:
        """End a run, as it was taken, without a result."""
        state = "cancelled" if isinstance(error, Cancelled) else "failed"

        def write(store: Store) -> None:
            if not store.runs.is_mine(run.id, run.attempts):
                return  # it ended otherwise, or another worker has it
            store.runs.set(
                run.id,
                state=state,
                error=f"{error.phrase}: {error}",
                message=state,
                finished_at=now(),
                lease_until=None,
            )
            sha = digest(dict(run.arguments))
            append(store, actor, run.operation, sha, state, str(error), run_id=run.id)

        self.database.write(write)

    def _audit_refusal(
        self, op: Operation, arguments: Mapping[str, Any], actor: Actor, error: DatabitsError
    ) -> None:
        """Refused writes are on record too; a failed read leaves nothing behind."""
        if op.effect == "read" and not isinstance(error, NotAllowed):
            return
        outcome = "refused" if isinstance(error, NotAllowed) else "failed"
        sha = digest(dict(arguments))
        self.database.write(
            lambda store: append(store, actor, op.name, sha, outcome, f"{error.phrase}: {error}")
        )


def _how_to_approve(plan: Plan) -> str:
    return (
        f"Nothing was done yet: plan {plan.id} waits for a person until {plan.expires_at:%Y-%m-%d %H:%M} UTC. "
        f"A person approves it in the chat or the Approvals page, or runs `databits approve {plan.id}`; it is then "
        "carried out. You can not approve it yourself."
    )


def connect(settings: Settings | None = None) -> Workbench:
    """The workbench that the settings describe."""
    from databits.platforms.embedded import Embedded

    return Embedded(settings or Settings())
