from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from databits.change import Work
from databits.errors import NotReady
from databits.model import Changed, Interval
from databits.operation import operation
from databits.store import Store
from databits.types import DatasetRef, ModelRef

if TYPE_CHECKING:
    from databits.training import Training


class Evaluated(Changed):
    model: str
    dataset: str
    rows: int
    accuracy: Interval
    macro_f1: Interval
    calibration_error: float
    worst_labels: dict[str, float] = Field(description="Lowest F1 scores")
    confused: list[str] = Field(description="Most confused pairs, truth → answer")


@operation(
    role="engineer",
    effect="write",
    job=True,
    examples=(
        "evaluate X",
        "how good is the model X",
        "test X on its held-out rows",
        "score the model X",
        "accuracy of X",
    ),
)
def evaluate_model(
    work: Work,
    training: "Training",
    *,
    model: ModelRef,
    dataset: Annotated[
        DatasetRef | None, Field(description="Default: the one it was trained on")
    ] = None,
) -> Evaluated:
    """Evaluate a model on the held-out split: accuracy and macro F1 with 95 % intervals, confusions."""
    chosen = work.read(lambda store: store.models.raw(model))
    shown = work.read(lambda store: store.models.get(model))
    source = work.read(lambda store: store.datasets.raw(dataset or shown.dataset))
    rows = work.read(lambda store: store.datasets.rows(source.id, "test"))
    if not rows:
        raise NotReady(
            "The dataset has no held-out rows. assemble_dataset with a test_share makes some."
        )
    found = training.evaluate(work, chosen, rows)

    def write(store: Store) -> Evaluated:
        store.models.add_evaluation(chosen.id, source.id, "test", found)
        f1 = {
            name: scores["f1"] for name, scores in found["per_label"].items() if scores["support"]
        }
        return Evaluated(
            model=shown.name,
            dataset=f"{source.databit}@{source.number}",
            rows=found["n"],
            accuracy=Interval(**found["accuracy"]),
            macro_f1=Interval(**found["macro_f1"]),
            calibration_error=found["calibration_error"],
            worst_labels=dict(sorted(f1.items(), key=lambda pair: pair[1])[:3]),
            confused=[
                f"{p['truth']} → {p['predicted']} ({p['count']})" for p in found["confusions"][:3]
            ],
        )

    return work.commit(write)
