from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from databits.change import Work
from databits.errors import NotReady
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import DatabitName

if TYPE_CHECKING:
    from databits.labeling import Labeling


class Prelabelled(Changed):
    databit: str
    suggested: int
    engine: str
    examples: int = 0
    mean_confidence: float = 0.0
    by_label: dict[str, int] = {}


@operation(
    role="reviewer",
    effect="write",
    job=True,
    examples=(
        "pre-label X",
        "prelabel the items of X",
        "suggest labels for X",
        "let the model label X first",
        "guess the labels in X",
    ),
)
def prelabel_items(
    work: Work,
    labeling: "Labeling",
    *,
    databit: DatabitName,
    only_new: Annotated[
        bool, Field(description="Leave items alone that have a suggestion")
    ] = False,
) -> Prelabelled:
    """Suggest a label, with confidence and rationale, for every undecided item.

    The engine compares an item with the labels' guidelines and with the approved items; the items it
    is least sure of come first in the queue.
    """
    target = work.read(lambda store: store.databits.get(databit))
    rows = work.read(lambda store: store.items.open_rows(target.databit_id, only_new))
    if not rows:
        raise NotReady(
            f"{databit} has no undecided items. queue_items puts records into its queue."
        )
    found = labeling.suggest(work, target, rows)

    def write(store: Store) -> Prelabelled:
        still_open = store.items.raw([s.item_id for s in found.suggestions])
        kept = [
            s
            for s in found.suggestions
            if s.item_id in still_open and still_open[s.item_id].state == "open"
        ]
        store.items.suggest(
            [(s.item_id, s.label, s.confidence, s.rationale) for s in kept],
            found.engine,
            work.run_id,
        )
        by_label = {name: sum(s.label == name for s in kept) for name in target.labels}
        return Prelabelled(
            databit=databit,
            suggested=len(kept),
            engine=found.engine,
            examples=found.examples,
            mean_confidence=round(sum(s.confidence for s in kept) / len(kept), 4) if kept else 0.0,
            by_label={name: n for name, n in by_label.items() if n},
        )

    return work.commit(write)
