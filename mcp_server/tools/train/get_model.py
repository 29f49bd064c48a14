from typing import Any

from databits.model import Model
from databits.operation import operation
from databits.store import Store
from databits.types import ModelRef


class ModelDetail(Model):
    evaluation: dict[str, Any] | None


@operation(
    role="viewer", effect="read", examples=("show the model X", "what is model X", "details of X")
)
def get_model(store: Store, *, model: ModelRef) -> ModelDetail:
    """Read a model: dataset, strategy, MLflow run, and its newest evaluation in full."""
    found = store.models.get(model)
    return ModelDetail(
        **found.model_dump(), evaluation=store.models.evaluation(store.models.raw(model).id)
    )
