from typing import TYPE_CHECKING

from databits.actor import Actor
from databits.decide import (
    OWN_LABEL,
    Decided,
    foresee,
    held_by_another,
    own_labels,
    refuse_if_nothing,
    target,
)
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import Decision
from databits.types import DatabitName, ItemIds, Reason

if TYPE_CHECKING:
    from databits.directory import Directory


@operation(
    role="reviewer",
    effect="write",
    foresees=foresee,
    examples=(
        "approve item 12",
        "approve these items",
        "item 7 of X is right",
        "accept the suggestions of items 3, 4 and 5",
        "confirm the label of item 8 in X",
    ),
)
def approve_labels(
    store: Store,
    directory: "Directory",
    actor: Actor,
    *,
    databit: DatabitName,
    items: ItemIds,
    reason: Reason = "",
) -> Decided:
    """Approve the suggested or pending labels of items, so that they count as training data.

    Items with no label to approve, or claimed by somebody else, are skipped and listed; so are,
    under the policy separation, items that one labelled oneself.
    """
    _, rows = target(store, databit, items)
    made: list[Decision] = []
    skipped: dict[int, str] = {}
    own = own_labels(store, directory, databit, rows, actor)
    for i, row in rows.items():
        label = row.label if row.state == "labeled" else row.suggestion
        why = held_by_another(row, actor)
        if row.state == "approved":
            why = "approved already"
        elif label is None:
            why = "it has no suggestion; correct_labels gives it a label"
        elif i in own:
            why = OWN_LABEL
        if why or label is None:
            skipped[i] = why or ""
        else:
            made.append(Decision(i, "approved", label))
    refuse_if_nothing([d.item_id for d in made], skipped)
    store.items.decide(made, "approve", actor.name, actor.surface, reason, rows)
    return Decided(databit=databit, decided=[d.item_id for d in made], skipped=skipped)
