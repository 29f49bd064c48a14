"""The workbench: the resources operations need, and the one way to run one."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from databits import completing, planning, running
from databits.actor import Actor
from databits.admission import admit, without_secrets
from databits.change import Call, Progress, Work, actor_of, append
from databits.digest import digest
from databits.directory import Directory
from databits.errors import DatabitsError, NotAllowed, Unavailable
from databits.identity import Gate, machine_user
from databits.model import NameKind, Names, Plan, Planned, Run
from databits.operation import Operation, find
from databits.settings import Settings
from databits.store import Store
from databits.store.database import Database
from databits.store.pulse import pulse

if TYPE_CHECKING:
    from databits.oauth.tokens import Tokens
    from databits.ports import Jobs, Lake, Serving

log = logging.getLogger("databits")
_NO_PLATFORM = "A bare workbench has no platform. Use databits.workbench.connect(settings)."


class Workbench:
    """Resources for one deployment; a platform gives what differs there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.url)

    @property
    def at_hand(self) -> bool:
        """Whether the store is open in this process, so that a look into it waits for nobody."""
        return "database" in vars(self) and self.database.sqlite

    @cached_property
    def directory(self) -> Directory:
        """Who may what."""
        return Directory(self.database)

    @cached_property
    def gate(self) -> Gate:
        """What guessing at passwords runs into."""
        return Gate()

    @cached_property
    def tokens(self) -> "Tokens | None":
        """What checks the tokens of the team's own sign-in server, if it has one."""
        from databits.oauth.tokens import tokens_of

        return tokens_of(self.settings)

    @property
    def machine_admin(self) -> str | None:
        """The user of this machine, where the settings make them an admin."""
        return machine_user(self.settings) if self.settings.role == "admin" else None

    @cached_property
    def lake(self) -> "Lake":
        raise Unavailable(_NO_PLATFORM)

    @cached_property
    def jobs(self) -> "Jobs":
        raise Unavailable(_NO_PLATFORM)

    @cached_property
    def serving(self) -> "Serving":
        raise Unavailable(_NO_PLATFORM)

    def close(self) -> None:
        """Let go of what was opened, of which there may be nothing; the workers go on."""
        opened = vars(self)
        if "jobs" in opened:
            self.jobs.rest()
        if "database" in opened:  # else it never was, and maybe can not be
            self.database.close()

    # the one way to run an operation ---------------------------------------------------------

    def run(
        self,
        name: str,
        arguments: Mapping[str, Any],
        actor: Actor,
        *,
        progress: Progress | None = None,
        key: str | None = None,
    ) -> BaseModel:
        """Check, run and audit one operation.

        Args:
            key: What the caller names this call of a job: the same key again is the same run.

        Returns:
            The operation's output; a `Run` for a job; a `Planned` for a consequential call that no
            person has approved yet.

        Raises:
            DatabitsError: with a text for the caller. Nothing was changed then.
        """
        op = find(name)
        with self._on_record(op, arguments, actor):
            call = self._admit(op, arguments, actor)
            running.check_key(call, key)
            if op.job and key is not None:
                before = self.database.read(lambda store: running.of_key(store, call, key))
                if before is not None:
                    return before
            if op.effect == "consequential":
                plan = self._plan(call)
                if plan.state != "approved":
                    return Planned(plan=plan, next=_how_to_approve(plan))
                call.plan = plan
            if op.job:
                return running.enqueue(self, call, key)
            return self._perform(call, progress)

    def look(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> BaseModel:
        """A quick read of a store that is at hand: it waits for nobody, and puts nothing on record.

        Raises:
            DatabitsError: then it is for `run`, which does put a refusal on record.
        """
        return self._perform(self._admit(find(name), arguments, actor), None)

    def propose(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> Plan:
        """The plan of a consequential call, without carrying it out whatever its state.

        Calling again while nothing moved gives the same plan.
        """
        op = find(name)
        with self._on_record(op, arguments, actor):
            return self._plan(self._admit(op, arguments, actor))

    def pulse(self) -> str:
        """A text that is another one once there is something new to read."""
        return self.database.read(lambda store: pulse(store.tx))

    def names(self, kind: NameKind, typed: str, actor: Actor, of: str = "") -> Names:
        """Names and ids that begin with what was typed, as far as this actor may know them."""
        return completing.names(self, kind, typed, actor, of)

    def carry_out(self, plan_id: int) -> BaseModel:
        """Run an approved plan, this very one, on behalf of whoever asked for it.

        Raises:
            Conflict: when it is not approved or not any more, or what it was made from has moved;
                then the text names the plan that was made in its place.
        """
        row = self.database.read(lambda store: store.plans.raw(plan_id))
        op, actor = find(row.operation), actor_of(row.actor)
        with self._on_record(op, row.arguments, actor):
            call = self._admit(op, row.arguments, actor)
            call.plan = self.database.read(lambda store: planning.approved(self, store, plan_id))
            return running.enqueue(self, call) if op.job else self._perform(call, None)

    def _plan(self, call: Call) -> Plan:
        hours = self.settings.plan_hours
        return self.database.write(lambda store: planning.plan_for(store, call, hours))

    @contextmanager
    def _on_record(
        self, op: Operation, arguments: Mapping[str, Any], actor: Actor
    ) -> Iterator[None]:
        """Whatever is refused or crashes inside gets its audit row."""
        try:
            yield
        except DatabitsError as error:
            told = planning.renewed(self, error)
            self._audit_refusal(op, arguments, actor, told)
            raise told from error.__cause__
        except Exception:
            crash = DatabitsError("It crashed; the server's log has the details.")
            self._audit_refusal(op, arguments, actor, crash)
            raise

    def execute(self, run_id: int, worker: str, stop: Event | None = None) -> Run:
        """Do the work of a run that this worker has taken; called by workers only.

        It never raises for the run's failure. When `stop` is set, the run has a few seconds left and
        then goes back into the queue.
        """
        return running.execute(self, self._perform, run_id, worker, stop)

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
        return admit(self, op, arguments, actor)

    def _perform(self, call: Call, progress: Progress | None) -> BaseModel:
        done = self._do(call, progress)
        if call.op.stage == "registry" and call.op.effect != "read":
            self.directory.drop()  # undo_change among them: it may have undone a grant
        return done

    def _do(self, call: Call, progress: Progress | None) -> BaseModel:
        op = call.op

        def body(store: Store | None, work: Work | None = None) -> BaseModel:
            given = {need: self.provide(need, store, call.actor, work) for need in op.needs}
            return op.fn(**given, **call.said)

        if "work" in op.needs:
            work = Work(call, progress)
            result = body(None, work)
            if work.result is None and op.effect != "read":
                raise RuntimeError(f"{op.name} ended without a commit")
            return result
        if op.effect == "read":
            return self.database.read(body) if "store" in op.needs else body(None)
        foreseen = op.foresees(call.actor, call.asked) if op.foresees else None
        return self.database.write(lambda store: call.apply(store, body), foreseen)

    def _audit_refusal(
        self, op: Operation, arguments: Mapping[str, Any], actor: Actor, error: DatabitsError
    ) -> None:
        """Refused writes are on record too; a failed read leaves nothing behind."""
        if op.effect == "read" and not isinstance(error, NotAllowed):
            return
        outcome = "refused" if isinstance(error, NotAllowed) else "failed"
        sha = digest(without_secrets(op, arguments))
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
