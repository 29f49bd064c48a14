from pydantic import BaseModel, Field

from databits.model import Policy
from databits.operation import operation
from databits.store import Store


class PoliciesInForce(BaseModel):
    in_force: list[Policy] = Field(description="Those that are on")


@operation(
    role="viewer",
    effect="read",
    people_only=True,
    examples=("which policies are on", "does X need two people"),
)
def list_policies(store: Store) -> PoliciesInForce:
    """List the policies that are on: four eyes for plans, separation of labelling and approving."""
    return PoliciesInForce(in_force=store.policies.all())
