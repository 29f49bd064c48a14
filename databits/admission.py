"""Who may make a call: the role that counts, and the operations that are for people only.

The role a call is checked against is the person's grant on the Databit the call is about (the
lowest of them, when it is about several), else their grant in the workspace, else what the surface
gave; and never more than the ceiling of the token or surface. Inside the operation the actor
carries that role.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from databits.actor import Actor, Role, lowest
from databits.change import Call
from databits.errors import DatabitsError, NotAllowed
from databits.operation import Operation, find
from databits.store import Store
from databits.store.people import refuse_lock_out

if TYPE_CHECKING:
    from databits.workbench import Workbench

SECRET = "**********"  # what stands for a secret wherever arguments are kept or hashed


def admit(
    workbench: "Workbench", op: Operation, arguments: Mapping[str, Any], actor: Actor
) -> Call:
    """The call, if this actor may make it; its arguments are checked, nothing is done yet.

    Raises:
        NotAllowed: naming the role it takes.
        Invalid: when the arguments are not what the operation takes.
    """
    known, name = workbench.directory.look(), actor.name.lower()
    if name in known.grants.disabled:
        raise NotAllowed("This person's account is disabled. An admin can let them in again.")
    here = known.role(name, actor.surface_role)
    elsewhere = known.on_databits(name)
    if elsewhere:
        # What they could be at best comes first: a stranger's arguments are not even looked at.
        best = actor.standing_as(known.best_role(name, actor.surface_role))
        _check(op, best)
        asked = op.parse(arguments)
        actor = actor.standing_as(_role_on(workbench, op, asked, here, elsewhere))
        _check(op, actor)
    else:
        actor = actor.standing_as(here)
        _check(op, actor)
        asked = op.parse(arguments)
    if op.name == "undo_change":
        workbench.database.read(lambda store: _check_undo(workbench, store, asked, actor))
    return Call(workbench, op, asked, actor)


def without_secrets(op: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as they may be kept or hashed: even a hash of a password can be guessed at."""
    secret = {
        name
        for name, schema in op.input_schema["properties"].items()
        if schema.get("format") == "password"
    }
    return {name: SECRET if name in secret else value for name, value in arguments.items()}


def _check(op: Operation, actor: Actor) -> None:
    if not actor.covers(op.role):
        raise NotAllowed(
            f"{op.name} needs the role {op.role}; you are {actor.role}. {_remedy(actor)}"
        )
    if op.people_only and (not actor.person or actor.service):
        raise NotAllowed(_for_people(op))


def _remedy(actor: Actor) -> str:
    if actor.limit == actor.role:
        return "Your token, or this server, goes no further; a grant alone would not help."
    return "Ask an admin for it."


def _for_people(op: Operation) -> str:
    if op.name == "decide_approval":
        return (
            f"{op.name} is for people: in the chat or the Approvals page, or with the command "
            "`databits approve ID`. Software can not do it for them."
        )
    return (
        f"{op.name} is for people: with the command `databits {op.name}`. Software can not do it "
        "for them."
    )


def _role_on(
    workbench: "Workbench",
    op: Operation,
    asked: BaseModel,
    here: Role,
    elsewhere: Mapping[int, Role],
) -> Role:
    about = workbench.database.read(lambda store: store.scope.of(op, dict(asked)))
    return lowest([elsewhere.get(i, here) for i in about] or [here])


def _check_undo(workbench: "Workbench", store: Store, asked: BaseModel, actor: Actor) -> None:
    """Undoing takes what doing it took, through any chain of undone undos."""
    change_id: int = getattr(asked, "change")  # noqa: B009 - undo_change's own parameter
    try:
        change = root = store.changes.get(change_id)
        while root.undo_of is not None:
            root = store.changes.get(root.undo_of)
        op = find(root.operation)
    except DatabitsError:
        return  # the operation says what is wrong
    if not actor.covers(op.role):
        raise NotAllowed(
            f"Change {change.id} goes back to {op.name}; undoing it takes the role {op.role}."
        )
    if op.people_only and (not actor.person or actor.service):
        raise NotAllowed(
            f"Change {change.id} goes back to {op.name}, which is for people only; so is undoing "
            f"it: `databits undo_change --change {change.id}`."
        )
    if op.people_only and op.role == "admin":
        refuse_lock_out(store.people.after_undo(change_id), workbench.machine_admin)
