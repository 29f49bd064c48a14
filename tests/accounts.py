"""People and tokens, as tests of the surfaces need them."""

from typing import Any

from sqlalchemy import update

from databits.actor import Actor, Role
from databits.store.tables import tokens
from databits.workbench import Workbench

PASSWORD = "correct horse"
ADMIN = Actor("ana", "admin", "test", person=True)


def run(workbench: Workbench, name: str, /, **arguments: Any) -> Any:
    return workbench.run(name, arguments, ADMIN)


def add_account(workbench: Workbench, name: str, role: Role | None = "reviewer") -> None:
    """Somebody who signs in with `PASSWORD`, with a role in the workspace."""
    run(workbench, "add_person", person=name, role=role)
    set_password(workbench, name, PASSWORD)


def set_password(workbench: Workbench, name: str, password: str) -> None:
    run(workbench, "set_password", person=name, password=password)


def disable(workbench: Workbench, name: str, disabled: bool = True) -> None:
    run(workbench, "disable_person", person=name, disabled=disabled)


def add_token(
    workbench: Workbench,
    person: str,
    role: Role = "admin",
    toolsets: list[str] | None = None,
    *,
    expired: bool = False,
) -> str:
    """The secret of a new token of somebody."""
    name = f"token-{run(workbench, 'list_tokens').total}"
    made = run(
        workbench, "create_token", name=name, person=person, role=role, toolsets=toolsets, days=1
    )
    if expired:
        ended = update(tokens).where(tokens.c.name == name).values(expires_at=1)
        workbench.database.write(lambda store: store.tx.db.execute(ended))
    return str(made.secret)


def revoke_tokens(workbench: Workbench, person: str) -> None:
    for token in run(workbench, "list_tokens", limit=200).rows:
        if token.person == person:
            run(workbench, "revoke_token", token=token.id)
