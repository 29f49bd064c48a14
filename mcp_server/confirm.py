"""How a person approves a consequential call over MCP.

Before the call runs, a resolver proposes it (the workbench stores a plan, or finds the one it has)
and a second one asks, as a form. Clients that speak 2026-07-28 get the question as the result of
the call and call again with the answer; older ones get it as a request in the middle of the call.
A client that can not be asked gets the plan, and how a person approves it elsewhere.

The question has two fields: `approve`, and `plan`, whose default is the plan's digest. An answer
counts for that digest only: when the state moved on while somebody was thinking, the new plan is
put as a new question (2026-07-28) or the call is refused (before), and nothing is done.
The person is whoever sits at the client: a host that answers forms by itself breaks MCP's rule
that elicitation is for people. It is on record with its name.

With `relay`, the client is the workbench's own agent, which shows the plan to a person in the chat.
Its answer is no consent: the plan must have been approved with `decide_approval` by the time the
call is made again, or it is refused, so the agent can not approve whatever it sends. The whole
plan travels in the question, as JSON under `requested_schema["properties"]["plan"]["x-plan"]`
(an extension at the root of the schema does not survive the 2026-07-28 wire).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from mcp.server.mcpserver import (
    AcceptedElicitation,
    CancelledElicitation,
    Context,
    Elicit,
    ElicitationResult,
    Resolve,
)
from mcp.types import CallToolResult, ElicitResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, create_model

from databits.actor import Actor
from databits.errors import Conflict, DatabitsError, NotAllowed
from databits.model import Plan, Planned, Run
from databits.operation import Operation
from databits.ports import Runner
from databits.visible import visible
from mcp_server.auth import Identify
from mcp_server.handles import leaves
from mcp_server.reply import refusal, reply
from mcp_server.threads import in_thread

Arguments = dict[str, Any]
Ctx = Context[Any, Any]
T = TypeVar("T")

# From this protocol version on, a question is a result of the call and needs no channel back.
QUESTION_IS_RESULT = "2026-07-28"
KEY = "databits/idempotencyKey"
DECLINED = "A person declined this; nothing was done. Do not call it again unless they ask for it."


class Outcome(BaseModel, Generic[T]):
    """What became of a consequential call: exactly one of plan, result and run is set."""

    plan: Plan | None = Field(None, description="Not carried out: it waits, or was declined")
    result: T | None = Field(None, description="Carried out")
    run: Run | None = Field(None, description="Approved, and being carried out")
    next: str = Field("", description="How to go on")


class Answer(BaseModel):
    """What a person says to a plan."""

    approve: bool = Field(description="Carry out this plan")
    plan: str


@dataclass(frozen=True)
class Confirmation:
    """One consequential operation, which runs when a person has approved its plan."""

    op: Operation
    runner: Runner
    identify: Identify
    relay: bool = False

    def function(self) -> Callable[..., Any]:
        """The tool's function; its resolvers run first, and again with every answer."""

        async def propose(arguments: Arguments, ctx: Ctx) -> Plan | Run | DatabitsError:
            return await self.propose(arguments, ctx)

        def ask(
            found: Annotated[Plan | Run | DatabitsError, Resolve(propose)], ctx: Ctx
        ) -> Elicit[Answer] | None:
            return self.question(found, ctx)

        async def call(
            arguments: Arguments,
            ctx: Ctx,
            found: Annotated[Plan | Run | DatabitsError, Resolve(propose)],
            answer: Annotated[ElicitationResult[Answer], Resolve(ask)],
        ) -> CallToolResult:
            try:
                outcome = await self.settle(
                    arguments, self.identify(ctx), found, answer, key_of(ctx)
                )
            except DatabitsError as error:
                return refusal(error)
            return reply(outcome, meta=leaves(outcome.run))

        return call

    async def propose(self, arguments: Arguments, ctx: Ctx) -> Plan | Run | DatabitsError:
        """The plan of the call, or the run that a call with its key has started before.

        An error is handed on, because the reply is the body's to word.
        """
        if self.relay and _is_declined(ctx):
            # The person has rejected that plan already; proposing again would make another one.
            return NotAllowed(DECLINED)
        key, actor = key_of(ctx), self.identify(ctx)
        try:
            if key is None:
                return await in_thread(self.runner.propose, self.op.name, arguments, actor)
            done = await in_thread(self.runner.run, self.op.name, arguments, actor, key=key)
            assert isinstance(done, Planned | Run)  # a key is for jobs only
            return done.plan if isinstance(done, Planned) else done
        except DatabitsError as error:
            return error

    def question(self, found: Plan | Run | DatabitsError, ctx: Ctx) -> Elicit[Answer] | None:
        """What to ask; None when there is nothing to ask, or nobody."""
        if not isinstance(found, Plan) or found.state == "approved" or not _can_ask(ctx):
            return None
        extra: dict[str, Any] = {"x-plan": found.model_dump(mode="json")} if self.relay else {}
        field = Field(
            default=found.digest,
            description="Which plan this answers; leave it as it is",
            json_schema_extra=extra,
        )
        return Elicit(_in_words(found), create_model("Answer", __base__=Answer, plan=(str, field)))

    async def settle(
        self,
        arguments: Arguments,
        actor: Actor,
        found: Plan | Run | DatabitsError,
        answer: ElicitationResult[Answer],
        key: str | None = None,
    ) -> Outcome[Any]:
        """Do what the answer says.

        Raises:
            DatabitsError: when it can not be done; then nothing was.
        """
        if isinstance(found, DatabitsError):
            raise found
        if isinstance(found, Run):
            return Outcome(run=found, next=how_to_follow(found))
        if isinstance(answer, AcceptedElicitation) and answer.data is None:
            return await self.carry_out(arguments, actor, key)  # nobody was asked
        if self.relay:
            return await self._run_approved(arguments, actor, found, answer, key)
        if isinstance(answer, CancelledElicitation):
            return Outcome(plan=found, next=_still_waits(found))
        if isinstance(answer, AcceptedElicitation) and answer.data.approve:
            return await self._approve(arguments, actor, answer.data.plan, key)
        await self._decide(found, actor, approve=False)
        return Outcome(plan=found.model_copy(update={"state": "rejected"}), next=DECLINED)

    async def carry_out(
        self, arguments: Arguments, actor: Actor, key: str | None = None
    ) -> Outcome[Any]:
        """Run the operation; without an approved plan, that changes nothing and gives the plan."""
        done = await in_thread(self.runner.run, self.op.name, arguments, actor, key=key)
        if isinstance(done, Planned):
            return Outcome(plan=done.plan, next=done.next)
        if self.op.job and isinstance(done, Run):
            return Outcome(run=done, next=how_to_follow(done))
        return Outcome(result=done.model_dump(mode="json"))

    async def _approve(
        self, arguments: Arguments, actor: Actor, digest: str, key: str | None
    ) -> Outcome[Any]:
        plan = await in_thread(self.runner.propose, self.op.name, arguments, actor)
        if plan.digest != digest:
            raise _moved_on(self.op, plan)
        if plan.state == "pending":  # else somebody approved it elsewhere in the meantime
            await self._decide(plan, actor, approve=True)
        outcome = await self.carry_out(arguments, actor, key)
        if outcome.plan is not None:
            raise _moved_on(self.op, outcome.plan)
        return outcome

    async def _run_approved(
        self,
        arguments: Arguments,
        actor: Actor,
        found: Plan,
        answer: ElicitationResult[Answer],
        key: str | None,
    ) -> Outcome[Any]:
        """The relay's way: whatever the answer says, only a plan approved elsewhere is run."""
        if not isinstance(answer, AcceptedElicitation):
            raise NotAllowed(DECLINED)
        outcome = await self.carry_out(arguments, actor, key)
        if outcome.plan is not None:
            raise NotAllowed(
                f"plan {found.id} has not been approved, so nothing was done. A person approves it in the "
                "chat or the Approvals page."
            )
        return outcome

    async def _decide(self, plan: Plan, actor: Actor, *, approve: bool) -> None:
        person = actor.through("mcp", client=actor.client, person=True)
        said = {"plan": plan.id, "approve": approve, "digest": plan.digest}
        await in_thread(self.runner.run, "decide_approval", said, person)


def key_of(ctx: Ctx) -> str | None:
    """What the client names this call, in the request's `_meta`: the same again gives the same run."""
    found = (ctx.request_context.meta or {}).get(KEY)
    return None if found is None else str(found)


def how_to_follow(run: Run) -> str:
    return f"get_run with run={run.id} tells its progress and its result; wait_s waits for the end."


def _in_words(plan: Plan) -> str:
    """A plan as a person reads it; built of nothing but the plan, so that it stays the same question."""
    lines = [plan.summary, f"How many: {plan.count}.", *(f"- {line}" for line in plan.sample)]
    lines.append(f"Cost: {plan.cost}.")
    lines.append(
        f"Can not be undone: {plan.irreversible}" if plan.irreversible else "It can be undone."
    )
    lines.append(f"Plan {plan.id} ({plan.operation}), asked by {plan.asked_by}.")
    return visible("\n".join(lines))


def _still_waits(plan: Plan) -> str:
    return (
        f"Nobody answered, so nothing was done: plan {plan.id} still waits for a person. Call again to ask again; "
        f"a person can also approve it in the Approvals page or with `databits approve {plan.id}`."
    )


def _moved_on(op: Operation, made: Plan) -> Conflict:
    return Conflict(
        "What the plan was made from has changed since it was shown, so nothing was done. "
        f"Plan {made.id} was made from the present state and waits for a person. "
        f"Call {op.name} again: it asks about that plan."
    )


def _can_ask(ctx: Ctx) -> bool:
    """Whether the client can show a form, and there is a way to reach it."""
    declared = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    shows_forms = declared is not None and (declared.form is not None or declared.url is None)
    return shows_forms and (_asks_by_result(ctx) or ctx.session.can_send_request)


def _asks_by_result(ctx: Ctx) -> bool:
    version = ctx.protocol_version
    return version is not None and is_version_at_least(version, QUESTION_IS_RESULT)


def _is_declined(ctx: Ctx) -> bool:
    """Whether this round of the call brings a no (2026-07-28)."""
    answers = (ctx.input_responses or {}).values()
    return any(isinstance(a, ElicitResult) and a.action != "accept" for a in answers)
