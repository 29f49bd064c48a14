from databits.actor import Actor
from databits.errors import NotAllowed
from databits.model import Changed
from databits.operation import find, operation
from databits.store import Store
from databits.types import ChangeId


class Undone(Changed):
    undone: int
    operation: str
    rows: int


@operation(
    role="labeler",
    effect="write",
    examples=("undo change 12", "take change 7 back", "revert change 3", "undo that"),
)
def undo_change(store: Store, actor: Actor, *, change: ChangeId) -> Undone:
    """Undo a change: every row of it is put back as it was. An undo is a change and can be undone.

    Refused, with the reason, where later work rests on it. Others' changes take the role reviewer,
    and any change the role of the operation that made it.
    """
    found = store.changes.get(change)
    needed = find(found.operation).role
    if not actor.covers(needed):
        raise NotAllowed(
            f"Change {change} was made by {found.operation}; undoing it takes the role {needed}."
        )
    if found.actor != actor.name and not actor.covers("reviewer"):
        raise NotAllowed(f"Change {change} is somebody else's; undoing it takes the role reviewer.")
    rows = store.changes.undo(change)
    return Undone(undone=change, operation=found.operation, rows=rows)
