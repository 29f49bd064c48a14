from databits.actor import Actor
from databits.decide import Decided, foresee, held_by_another, refuse_if_nothing, target
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import Decision
from databits.types import DatabitName, ItemIds, Reason


@operation(
    role="reviewer",
    effect="write",
    foresees=foresee,
    examples=(
        "reject item 12",
        "throw out items 3 and 4 of X",
        "item 9 is not usable",
        "drop item 5",
        "remove item 4 of X, it is garbage",
    ),
)
def reject_items(
    store: Store, actor: Actor, *, databit: DatabitName, items: ItemIds, reason: Reason = ""
) -> Decided:
    """Take items out of the training data: unusable, unreadable, not of this task."""
    _, rows = target(store, databit, items)
    skipped = {i: why for i, row in rows.items() if (why := held_by_another(row, actor))}
    skipped |= {i: "rejected already" for i, row in rows.items() if row.state == "rejected"}
    made = [Decision(i, "rejected", None) for i in rows if i not in skipped]
    refuse_if_nothing([d.item_id for d in made], skipped)
    store.items.decide(made, "reject", actor.name, actor.surface, reason, rows)
    return Decided(databit=databit, decided=[d.item_id for d in made], skipped=skipped)
