"""Plans of consequential calls: made, checked, and made again when what they rest on has moved."""

from typing import TYPE_CHECKING

from databits.change import Call, actor_of, actor_row
from databits.errors import Conflict, DatabitsError
from databits.model import Plan
from databits.operation import find
from databits.store import Store
from databits.store.shapes import PlanMoved, in_its_place, now

if TYPE_CHECKING:
    from sqlalchemy import Row

    from databits.workbench import Workbench

HOUR_US = 3_600_000_000


def plan_for(store: Store, call: Call, hours: int) -> Plan:
    """The plan of a call as things stand: the open one that fits, else a new one.

    What a plan is bound to is its digest: of the operation, its arguments, and all that its preview
    shows and rests on. Open plans of the same call with another digest are stale from here on.
    """
    preview, digest = call.preview(store)
    store.plans.close_stale(call.op.name, call.arguments, call.actor.name, digest)
    known = store.plans.open(digest, call.actor.name)
    if known is not None:
        return known
    plan_id = store.plans.add(
        call.op.name,
        call.arguments,
        digest,
        preview.model_dump(mode="json"),
        call.actor.name,
        now() + hours * HOUR_US,
        actor_row(call.actor),
    )
    call.audit(store, "planned", digest_note(digest), plan_id=plan_id)
    return store.plans.get(plan_id)


def check_current(workbench: "Workbench", store: Store, plan: Plan) -> None:
    """Look again at what a plan was made from.

    Raises:
        PlanMoved: when that is not so any more, or the call is not possible any more.
    """
    try:
        digest = _call_of(workbench, store.plans.raw(plan.id)).preview(store)[1]
    except DatabitsError:
        raise PlanMoved(plan.id) from None
    if digest != plan.digest:
        raise PlanMoved(plan.id)


def approved(workbench: "Workbench", store: Store, plan_id: int) -> Plan:
    """The plan, if it can be carried out now.

    Raises:
        Conflict: when no person has approved it, or it has expired, moved on or been carried out.
    """
    plan = store.plans.get(plan_id)
    if plan.state != "approved":
        raise store.plans.closed(plan, "only an approved plan can be carried out")
    check_current(workbench, store, plan)
    return plan


def renewed(workbench: "Workbench", error: DatabitsError) -> DatabitsError:
    """A refusal as the caller gets it; where a plan had moved on, it was made again and is named.

    The new plan is whoever's asked for the old one. Runs after the refused call was rolled back.
    """
    if not isinstance(error, PlanMoved):
        return error

    def write(store: Store) -> int | None:
        old = store.plans.raw(error.plan_id)
        try:
            call = _call_of(workbench, old)
            made: int | None = plan_for(store, call, workbench.settings.plan_hours).id
        except DatabitsError:  # there is nothing left to plan
            made = None
        if old.state in ("pending", "approved"):
            store.plans.set(old.id, "stale")
        return made

    return Conflict(f"{error}{in_its_place(workbench.database.write(write))}")


def digest_note(digest: str) -> str:
    """How the audit log names what a plan was bound to, and so what an approval was given to."""
    return f"plan digest {digest}"


def _call_of(workbench: "Workbench", row: "Row[tuple[object, ...]]") -> Call:
    """The call that a plan is of."""
    op = find(row.operation)
    return Call(workbench, op, op.input.model_validate(row.arguments), actor_of(row.actor))
