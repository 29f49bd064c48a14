from typing import Annotated

from pydantic import Field

from databits.actor import Role
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import PersonName


class PersonAdded(Changed):
    person: str
    role: Role | None


@operation(
    role="admin",
    effect="write",
    people_only=True,
    examples=("add the person lena", "make an account for lars", "lena joins the team"),
)
def add_person(
    store: Store,
    machine_admin: str | None,
    *,
    person: PersonName,
    role: Annotated[
        Role | None, Field(description="In the whole workspace; none: viewer, and what is granted")
    ] = None,
) -> PersonAdded:
    """Add a person. They can sign in once they have a password: `databits person password NAME`.

    They start afresh: roles, password and tokens of an earlier person of that name are gone.
    """
    store.people.add(person)
    store.tokens.revoke_all(person)
    if role is not None:
        store.people.grant(person, role, None)
        store.people.refuse_lock_out(machine_admin)  # it may be this machine's user who is added
    return PersonAdded(person=person, role=role)
