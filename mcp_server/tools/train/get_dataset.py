from typing import Any

from databits.model import Dataset
from databits.operation import operation
from databits.store import Store
from databits.types import DatasetRef


class DatasetDetail(Dataset):
    recipe: dict[str, Any]


@operation(
    role="viewer",
    effect="read",
    examples=("show dataset X", "what is in the dataset X", "recipe of dataset X"),
)
def get_dataset(store: Store, *, dataset: DatasetRef) -> DatasetDetail:
    """Read a dataset's recipe, splits, label counts and content hash."""
    found = store.datasets.get(dataset)
    return DatasetDetail(**found.model_dump(), recipe=store.datasets.raw(dataset).recipe)
