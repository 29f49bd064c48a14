from typing import Annotated

from pydantic import Field

from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import DatabitName, PersonName


class RoleRevoked(Changed):
    person: str
    databit: str | None


@operation(
    role="admin",
    effect="write",
    people_only=True,
    examples=("lena is no reviewer of X any more", "revoke the role of lars", "take lars off X"),
)
def revoke_role(
    store: Store,
    machine_admin: str | None,
    *,
    person: PersonName,
    databit: Annotated[
        DatabitName | None, Field(description="The role there; none: the one everywhere")
    ] = None,
) -> RoleRevoked:
    """Take a person's role back, in the workspace or on one Databit; the wider one counts again.

    Without any role a person is a viewer. The last admin's can not be taken, unless the user of
    this machine is one by its settings.
    """
    store.people.raw(person)
    target = store.databits.get(databit).databit_id if databit is not None else None
    store.people.revoke(person, target)
    store.people.refuse_lock_out(machine_admin)
    return RoleRevoked(person=person, databit=databit)
