from typing import Annotated

from pydantic import Field

from databits.actor import Role
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import DatabitName, PersonName


class RoleGranted(Changed):
    person: str
    role: Role
    databit: str | None


@operation(
    role="admin",
    effect="write",
    people_only=True,
    examples=("make lena a reviewer of X", "lars is an engineer", "grant lena the role labeler"),
)
def grant_role(
    store: Store,
    machine_admin: str | None,
    *,
    person: PersonName,
    role: Annotated[Role, Field(description="In place of the one they have there")],
    databit: Annotated[
        DatabitName | None, Field(description="Only there; none: everywhere")
    ] = None,
) -> RoleGranted:
    """Give a person a role in the workspace, or on one Databit, where it then counts alone.

    The last admin can not be demoted, unless the user of this machine is one by its settings.
    """
    store.people.raw(person)
    target = store.databits.get(databit).databit_id if databit is not None else None
    store.people.grant(person, role, target)
    store.people.refuse_lock_out(machine_admin)
    return RoleGranted(person=person, role=role, databit=databit)
