from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from databits.actor import Actor
from databits.decide import refuse_own
from databits.errors import Conflict, NotAllowed
from databits.model import Changed, PlanState
from databits.operation import find, operation
from databits.planning import check_current
from databits.store import Store
from databits.types import PlanId, Reason

if TYPE_CHECKING:
    from databits.workbench import Workbench


class ApprovalDecided(Changed):
    plan: int
    state: PlanState
    summary: str


@operation(
    role="reviewer",
    effect="write",
    people_only=True,
    examples=("approve plan 3", "reject plan 4", "yes, approve the plan"),
)
def decide_approval(
    store: Store,
    workbench: "Workbench",
    actor: Actor,
    *,
    plan: PlanId,
    approve: Annotated[bool, Field(description="True carries it out, false drops it")],
    reason: Reason = "",
    digest: Annotated[
        str | None, Field(description="Digest that was shown; refused when the plan is another")
    ] = None,
) -> ApprovalDecided:
    """Approve or reject a plan. People only; it takes the role that the planned operation takes.

    With the policy four_eyes, whoever asked for a plan can reject it but not approve it.
    """
    found = store.plans.get(plan)
    needed = find(found.operation).role
    if not actor.covers(needed):
        raise NotAllowed(
            f"Plan {plan} is a {found.operation}; deciding it takes the role {needed}."
        )
    if found.state != "pending":
        raise store.plans.closed(found, "only a pending plan can be decided")
    if digest is not None and digest != found.digest:
        raise Conflict(
            f"Plan {plan} is not the one that was shown. Look at it again: list_approvals."
        )
    if approve:
        if store.policies.covers("four_eyes", found.operation):
            refuse_own(found, actor)
        check_current(workbench, store, found)
    state: PlanState = "approved" if approve else "rejected"
    store.plans.set(plan, state, decided_by=actor.name, reason=reason)
    return ApprovalDecided(plan=plan, state=state, summary=found.summary)
