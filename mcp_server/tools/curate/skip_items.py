from databits.actor import Actor
from databits.decide import Decided, foresee, held_by_another, refuse_if_nothing, target
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import Decision
from databits.types import DatabitName, ItemIds, Reason


@operation(
    role="labeler",
    effect="write",
    foresees=foresee,
    examples=("skip item 12", "I am not sure about item 7", "pass on items 3 and 4"),
)
def skip_items(
    store: Store, actor: Actor, *, databit: DatabitName, items: ItemIds, reason: Reason = ""
) -> Decided:
    """Pass on items that you can not decide; list_items with state=skipped shows them later."""
    _, rows = target(store, databit, items)
    skipped = {i: why for i, row in rows.items() if (why := held_by_another(row, actor))}
    skipped |= {i: f"{row.state} already" for i, row in rows.items() if row.state != "open"}
    made = [Decision(i, "skipped", None) for i in rows if i not in skipped]
    refuse_if_nothing([d.item_id for d in made], skipped)
    store.items.decide(made, "skip", actor.name, actor.surface, reason, rows)
    return Decided(databit=databit, decided=[d.item_id for d in made], skipped=skipped)
