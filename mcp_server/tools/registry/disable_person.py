from typing import Annotated

from pydantic import Field

from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import PersonName


class PersonDisabled(Changed):
    person: str
    disabled: bool


@operation(
    role="admin",
    effect="write",
    people_only=True,
    examples=("disable the account of lena", "lars has left the team", "let lena in again"),
)
def disable_person(
    store: Store,
    machine_admin: str | None,
    *,
    person: PersonName,
    disabled: Annotated[bool, Field(description="False lets them in again")] = True,
) -> PersonDisabled:
    """Keep a person out: no sign-in, no token, no call and no run of theirs goes through.

    The last admin can not be kept out, unless the user of this machine is one by its settings.
    """
    store.people.disable(person, disabled)
    store.people.refuse_lock_out(machine_admin)
    return PersonDisabled(person=person, disabled=disabled)
