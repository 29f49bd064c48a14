from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from databits.actor import Actor
from databits.decide import (
    Decided,
    check_overrule,
    foresee,
    held_by_another,
    label_of,
    refuse_if_nothing,
    separated,
    target,
)
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import Decision
from databits.types import DatabitName, ItemIds, Label, Reason

if TYPE_CHECKING:
    from databits.directory import Directory


@operation(
    role="labeler",
    effect="write",
    foresees=foresee,
    examples=(
        "item 12 of X is billing",
        "label item 3 as refund",
        "correct item 7 to login",
        "items 4 and 5 are refunds",
    ),
)
def correct_labels(
    store: Store,
    directory: "Directory",
    actor: Actor,
    *,
    databit: DatabitName,
    items: ItemIds,
    label: Annotated[Label, Field(description="The right label")],
    reason: Reason = "",
) -> Decided:
    """Give items the label that is right, whatever was suggested.

    By a reviewer it counts as training data at once; by a labeler, or under the policy separation,
    it waits for approve_labels.
    """
    version, rows = target(store, databit, items)
    name = label_of(version, label)
    check_overrule(rows, actor)
    counts = actor.covers("reviewer") and not separated(directory, databit)
    state = "approved" if counts else "labeled"
    skipped = {i: why for i, row in rows.items() if (why := held_by_another(row, actor))}
    made = [Decision(i, state, name) for i in rows if i not in skipped]
    refuse_if_nothing([d.item_id for d in made], skipped)
    store.items.decide(made, "correct", actor.name, actor.surface, reason, rows)
    return Decided(databit=databit, decided=[d.item_id for d in made], skipped=skipped)
