"""How a call becomes a change: plan → approval → commit, with its audit row in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from databits.actor import Actor
from databits.digest import digest
from databits.errors import Cancelled, Conflict, DatabitsError
from databits.model import Changed, Plan
from databits.operation import Operation, Preview
from databits.store import Store
from databits.store.shapes import PlanMoved, now

if TYPE_CHECKING:
    from databits.workbench import Workbench

T = TypeVar("T")
R = TypeVar("R", bound=BaseModel)
Progress = Callable[[float, str], None]


class Call:
    """One call of an operation by an actor: everything its audit row will say."""

    def __init__(
        self,
        workbench: "Workbench",
        op: Operation,
        asked: BaseModel,
        actor: Actor,
        *,
        plan: Plan | None = None,
        run_id: int | None = None,
        attempt: int = 0,
    ) -> None:
        self.workbench = workbench
        self.op = op
        self.asked = asked
        self.actor = actor
        self.plan = plan
        self.run_id = run_id
        self.attempt = attempt
        """Which taking of the run this is; a later one makes it void."""

    @property
    def arguments(self) -> dict[str, Any]:
        return self.asked.model_dump(mode="json")

    @property
    def said(self) -> dict[str, Any]:
        """The arguments as the operation's function takes them."""
        return vars(self.asked)  # `dict(model)` is a slow way to the same

    def apply(self, store: Store, fn: Callable[[Store], R]) -> R:
        """Run `fn` as a change: check the plan again, record, audit."""
        if self.run_id is None:
            self.spend_plan(store)  # a run's was spent when it was queued
        if self.plan is not None:
            self._check_plan(store, self.plan)
        store.tx.begin_change(self.op.name, self.actor.name, self.actor.surface, run_id=self.run_id)
        result = fn(store)
        change_id = store.tx.end_change()
        if isinstance(result, Changed):
            result.change_id = change_id or 0
        # The one operation that is about a plan names it in its result.
        decided = getattr(result, "plan", None) if self.op.people_only else None
        plan_id = self.plan.id if self.plan else decided
        # The digest is what the approval was given to, and what was carried out.
        detail = f"plan digest {store.plans.raw(plan_id).digest}" if plan_id else ""
        self.audit(store, "ok", detail, change_id=change_id, plan_id=plan_id)
        return result

    def spend_plan(self, store: Store) -> None:
        """Use the approval up: it is good for one call.

        Raises:
            Conflict: when another call has used it.
        """
        if self.plan is not None and not store.plans.spend(self.plan.id):
            state = store.plans.get(self.plan.id).state
            raise Conflict(
                f"Plan {self.plan.id} is {state} already; nothing was done twice. To do it once more, call the "
                "operation again: it makes a new plan."
            )

    def audit(
        self,
        store: Store,
        outcome: str,
        detail: str = "",
        *,
        change_id: int | None = None,
        plan_id: int | None = None,
    ) -> None:
        """Append the audit row of this call."""
        append(
            store,
            self.actor,
            self.op.name,
            digest(self.arguments),
            outcome,
            detail,
            change_id=change_id,
            run_id=self.run_id,
            plan_id=self.plan.id if self.plan else plan_id,
        )

    def preview(self, store: Store) -> tuple[Preview, str]:
        """What the call would do now, and the digest that an approval binds to."""
        assert self.op.preview is not None  # only consequential calls come here
        given = {
            need: self.workbench.provide(need, store, self.actor) for need in self.op.preview_needs
        }
        found = self.op.preview(**given, **self.said)
        return found, digest([self.op.name, self.arguments, found.model_dump(mode="json")])

    def _check_plan(self, store: Store, plan: Plan) -> None:
        try:
            current = self.preview(store)[1]
        except DatabitsError:
            raise PlanMoved(plan.id) from None
        if current != plan.digest:
            raise PlanMoved(plan.id)


def append(
    store: Store,
    actor: Actor,
    operation: str,
    arguments_sha256: str,
    outcome: str,
    detail: str = "",
    *,
    change_id: int | None = None,
    run_id: int | None = None,
    plan_id: int | None = None,
) -> None:
    """Append an audit row."""
    store.audit.append(
        actor=actor.name,
        role=actor.role,
        surface=actor.surface,
        client=actor.client,
        operation=operation,
        arguments_sha256=arguments_sha256,
        outcome=outcome,
        detail=detail,
        change_id=change_id,
        run_id=run_id,
        plan_id=plan_id,
        trace_id=actor.trace,
    )


class Work:
    """What an operation gets that computes before it writes: many reads, one commit.

    The commit is one transaction: the change, its audit row and, for a run, its result. A process
    that dies before it leaves nothing; one that dies after it has finished.
    """

    def __init__(self, call: Call, progress: Progress | None = None) -> None:
        self._call = call
        self._database = call.workbench.database
        self._progress = progress
        self.result: BaseModel | None = None

    @property
    def run_id(self) -> int | None:
        return self._call.run_id

    @property
    def actor(self) -> Actor:
        return self._call.actor

    def read(self, fn: Callable[[Store], T]) -> T:
        return self._database.read(fn)

    def keep(self, fn: Callable[[Store], T]) -> T:
        """Write derived data (vectors), which no change records and every change can do without."""
        return self._database.write(fn)

    def progress(self, done: float, message: str) -> None:
        """Say how far the work is, 0 to 1.

        Raises:
            Cancelled: when somebody cancelled the run.
        """
        if self._progress is not None:
            self._progress(min(max(done, 0.0), 1.0), message)

    def commit(self, fn: Callable[[Store], R]) -> R:
        """Write the outcome; called once, at the end."""
        if self.result is not None:
            raise RuntimeError("an operation commits once")
        result = self._database.write(lambda store: self._commit(store, fn))
        self.result = result
        return result

    def _commit(self, store: Store, fn: Callable[[Store], R]) -> R:
        run_id = self._call.run_id
        if run_id is not None:
            if store.runs.raw(run_id).cancel:
                raise Cancelled("The run was cancelled; nothing was changed.")
            if not store.runs.is_mine(run_id, self._call.attempt):
                raise Conflict(f"Run {run_id} was taken over by another worker; get_run shows it.")
        result = self._call.apply(store, fn)
        if run_id is not None:
            store.runs.set(
                run_id,
                state="succeeded",
                progress=1.0,
                message="done",
                result=result.model_dump(mode="json"),
                finished_at=now(),
                lease_until=None,
            )
        return result


def actor_row(actor: Actor) -> dict[str, Any]:
    """An actor as a run keeps it."""
    return asdict(actor)


def actor_of(row: Mapping[str, Any]) -> Actor:
    return Actor(**row)
