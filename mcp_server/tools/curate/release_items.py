from databits.actor import Actor
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import now
from databits.types import DatabitName, ItemIds


class Released(Changed):
    released: list[int]
    not_yours: list[int] = []


@operation(
    role="labeler",
    effect="write",
    examples=(
        "release item 12",
        "give the items 3 and 4 back",
        "unclaim item 5",
        "free item 12 again",
    ),
)
def release_items(store: Store, actor: Actor, *, databit: DatabitName, items: ItemIds) -> Released:
    """Give claimed items back, so that somebody else can get them.

    A reviewer can release another's claims; a labeler only their own.
    """
    target = store.databits.get(databit)
    found = store.items.of_databit(target.databit_id, databit, items)
    held = {i: row for i, row in found.items() if row.held_by and row.held_until >= now()}
    mine = [i for i, row in held.items() if row.held_by == actor.name or actor.covers("reviewer")]
    store.items.release(mine)
    return Released(released=mine, not_yours=[i for i in held if i not in mine])
