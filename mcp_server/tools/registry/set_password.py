from typing import Annotated

from pydantic import Field, SecretStr

from databits.model import Changed
from databits.operation import operation
from databits.passwords import hash_password
from databits.store import Store
from databits.types import PersonName


class PasswordSet(Changed):
    person: str


@operation(
    role="admin",
    effect="write",
    people_only=True,
    examples=("set the password of lena", "give lars a new password"),
)
def set_password(
    store: Store,
    *,
    person: PersonName,
    password: Annotated[SecretStr, Field(description="10 to 256 characters")],
) -> PasswordSet:
    """Set a person's password, with which they sign in. This can not be undone, only set again.

    `databits person password NAME` asks for it; it is never part of a command line.
    """
    store.people.raw(person)
    store.people.set_password(person, hash_password(password.get_secret_value()))
    return PasswordSet(person=person)
