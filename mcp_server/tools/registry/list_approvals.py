from typing import Annotated

from pydantic import Field

from databits.model import Page, Plan, PlanState
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    examples=(
        "list approvals",
        "what waits for approval",
        "show the open plans",
        "which plans are pending",
    ),
)
def list_approvals(
    store: Store,
    *,
    state: Annotated[PlanState | None, Field(description="Only in this state")] = "pending",
    after: After = 0,
    limit: Limit = 20,
) -> Page[Plan]:
    """List plans that wait for a person, newest first; another state lists the decided ones."""
    rows = store.plans.page(state, after, limit + 1)
    return Page.of([(row.id, row) for row in rows], limit, store.plans.count(state))
