from typing import Annotated

from pydantic import Field

from databits.assemble import SplitRow, content_hash, leaks, split
from databits.change import Work
from databits.errors import Conflict, NotReady
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import DatabitName


class Assembled(Changed):
    dataset: str
    rows: int
    splits: dict[str, int]
    labels: dict[str, int]
    sha256: str
    unchanged: bool = Field(
        False, description="The same content was a dataset already; that one is returned"
    )


@operation(
    role="engineer",
    effect="write",
    job=True,
    examples=(
        "assemble a dataset from X",
        "build the training set of X",
        "make a dataset out of the approved labels of X",
        "freeze the labels of X for training",
    ),
)
def assemble_dataset(
    work: Work,
    *,
    databit: DatabitName,
    test_share: Annotated[
        float, Field(description="Share held out for evaluation", gt=0, lt=0.9)
    ] = 0.2,
    seed: Annotated[int, Field(description="Seed of the split", ge=0)] = 0,
) -> Assembled:
    """Freeze the approved items as an immutable, content-hashed dataset with train and test splits.

    Copies of a text never lie in two splits, and every label is in the training split.
    """
    target = work.read(lambda store: store.databits.get(databit))
    found = work.read(lambda store: store.items.training_rows(target.databit_id))
    rows = [SplitRow(item_id=r.item_id, group=None, text=r.text, label=r.label) for r in found]
    if len({r.label for r in rows}) < 2 or len(rows) < 10:
        raise NotReady(
            f"{databit} has {len(rows)} approved items with {len({r.label for r in rows})} labels; a dataset takes at "
            "least 10 items and 2 labels. approve_labels and correct_labels make more."
        )
    shares = {"train": 1 - test_share, "test": test_share}
    parts = split(rows, shares=shares, seed=seed)
    if leaks(rows, parts):
        raise Conflict(
            "Copies of a text would lie in two splits; nothing was written. Please report this."
        )
    recipe = {"databit": databit, "version": target.version, "shares": shares, "seed": seed}
    sha256 = content_hash(rows, parts, recipe)
    labels = {name: sum(r.label == name for r in rows) for name in target.labels}
    summary = {
        "rows": len(rows),
        "splits": {name: sum(part == name for part in parts.values()) for name in shares},
        "labels": {name: n for name, n in labels.items() if n},
    }

    def write(store: Store) -> Assembled:
        known = store.datasets.same(target.databit_id, sha256)
        number = known or store.datasets.add(
            target.databit_id,
            target.version_id,
            recipe,
            summary,
            sha256,
            [(r.item_id, r.label, parts[r.item_id]) for r in rows],
        )
        return Assembled(
            dataset=f"{databit}@{number}", sha256=sha256, unchanged=known is not None, **summary
        )

    return work.commit(write)
