from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from databits.change import Work
from databits.errors import NotReady
from databits.model import Changed
from databits.operation import Preview, operation
from databits.store import Store
from databits.types import DatasetRef, NewName

if TYPE_CHECKING:
    from databits.training import Training


class FineTuned(Changed):
    model: str
    dataset: str
    strategy: str
    rows: int
    seconds: float
    mlflow_run: str


def preview(store: Store, *, dataset: str, model: str | None, strategy: str, seed: int) -> Preview:
    found = store.datasets.get(dataset)
    row = store.datasets.raw(dataset)
    train = store.datasets.rows(row.id, "train")
    counts = {label: sum(r.label == label for r in train) for label in {r.label for r in train}}
    if len(counts) < 2 or min(counts.values()) < 2:
        raise NotReady(
            f"{found.name} has too few rows to train on: a model takes at least 2 labels with 2 training rows each. "
            "Approve more items and call assemble_dataset again."
        )
    characters = sum(len(r.text) for r in train)
    weakest = min(counts, key=lambda label: (counts[label], label))
    return Preview(
        summary=f"Train the model {model or found.databit} on {len(train)} rows of {found.name}.",
        count=len(train),
        sample=[
            f"{label}: {n} rows"
            for label, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:4]
        ]
        + ([f"fewest: {weakest} ({counts[weakest]} rows)"] if len(counts) > 4 else []),
        cost=f"about {characters // 4:,} tokens to embed on this machine; no charge",
        irreversible="The run and the model stay in MLflow's registry when the change is undone.",
        basis={"dataset": found.sha256, "strategy": strategy, "seed": seed},
    )


@operation(
    role="engineer",
    effect="consequential",
    job=True,
    preview=preview,
    examples=(
        "train a model on X",
        "fine-tune on the dataset X",
        "start training with X",
        "launch a training run for X",
        "teach a model from X",
    ),
)
def launch_fine_tune(
    work: Work,
    training: "Training",
    *,
    dataset: DatasetRef,
    model: Annotated[
        NewName | None, Field(description="Name of the model; default: the Databit's")
    ] = None,
    strategy: Annotated[
        Literal["auto", "classifier-head"], Field(description="How to train")
    ] = "auto",
    seed: Annotated[int, Field(description="Seed of the training", ge=0)] = 0,
) -> FineTuned:
    """Train a classifier on a dataset's training split and register it in MLflow.

    `auto` picks what fits the data; on one machine that is a classifier head on embeddings.
    """
    source = work.read(lambda store: store.datasets.get(dataset))
    row = work.read(lambda store: store.datasets.raw(dataset))
    rows = work.read(lambda store: store.datasets.rows(row.id, "train"))
    name = model or source.databit
    made = training.fit(work, name, source, rows, seed)

    def write(store: Store) -> FineTuned:
        store.models.add(
            name,
            made.version,
            row.id,
            made.strategy,
            made.labels,
            made.uri,
            made.mlflow_run,
            work.run_id,
        )
        return FineTuned(
            model=f"{name}@{made.version}",
            dataset=source.name,
            strategy=made.strategy,
            rows=len(rows),
            seconds=round(made.seconds, 2),
            mlflow_run=made.mlflow_run,
        )

    return work.commit(write)
