from typing import Annotated, Literal

from pydantic import Field

from databits.errors import Invalid
from databits.model import Changed, Policy
from databits.operation import find, operation
from databits.store import Store
from databits.store.shapes import ALL


class PolicySet(Changed):
    kind: str
    subject: str
    on: bool
    in_force: list[Policy] = Field(description="Every policy that is on now")


@operation(
    role="admin",
    effect="write",
    people_only=True,
    examples=(
        "nobody approves their own plans any more",
        "switch on four eyes for deploy_model",
        "labelers must not approve their own labels of X",
    ),
)
def set_policy(
    store: Store,
    *,
    kind: Annotated[
        Literal["four_eyes", "separation"],
        Field(
            description="four_eyes: who asked for a plan can not approve it; "
            "separation: who labelled an item can not approve it"
        ),
    ],
    subject: Annotated[
        str, Field(description="Operation (four_eyes) or Databit (separation)", max_length=80)
    ] = ALL,
    on: Annotated[bool, Field(description="False switches it off")] = True,
) -> PolicySet:
    """Switch a policy on or off, for one subject or for all (`*`). It counts from the next call on."""
    if kind == "separation" and subject != ALL and on:
        store.databits.get(subject)
    if kind == "four_eyes" and subject != ALL and on and find(subject).effect != "consequential":
        raise Invalid(f"{subject} makes no plans, so there is nothing to approve.")
    store.policies.switch(kind, subject, on)
    if kind == "four_eyes" and on:
        store.policies.reopen_self_approved(subject)
    return PolicySet(kind=kind, subject=subject, on=on, in_force=store.policies.all())
