"""What somebody may mean who has typed the beginning of a name or an id.

It tells names and ids alone, no more than the lists that every viewer can read, so it is no
operation: nobody is audited for typing. Ids of items are told to those who may read their items.
"""

from typing import TYPE_CHECKING

from databits.actor import Actor, Role
from databits.errors import NotAllowed
from databits.model import NameKind, Names
from databits.operation import unstorable
from databits.store.beginnings import Found, Only, beginning

if TYPE_CHECKING:
    from databits.workbench import Workbench

AT_MOST = 100
READS_ITEMS: Role = "labeler"


def names(workbench: "Workbench", kind: NameKind, typed: str, actor: Actor, of: str = "") -> Names:
    """Names that begin with what was typed, as far as this actor may know them.

    Args:
        of: The Databit or the model whose versions or numbers are meant.

    Raises:
        NotAllowed: for a disabled account.
    """
    known, person = workbench.directory.look(), actor.name.lower()
    if person in known.grants.disabled:
        raise NotAllowed("This person's account is disabled. An admin can let them in again.")
    if unstorable([typed, of]):  # no name holds it, and a database that is asked for it fails
        return Names(values=[], total=0)
    only: Only | None = None
    if kind == "item":
        reads = actor.standing_as(known.role(person, actor.surface_role)).covers(READS_ITEMS)
        # Only where their role differs from the one in the workspace has a Databit to be named.
        only = Only(
            [
                databit
                for databit, role in known.on_databits(person).items()
                if actor.standing_as(role).covers(READS_ITEMS) != reads
            ],
            all_but=reads,
        )

    found: Found = workbench.database.read(
        lambda store: beginning(store.tx, kind, typed, AT_MOST, of=of, only=only)
    )
    return Names(values=found.values, total=found.total)
