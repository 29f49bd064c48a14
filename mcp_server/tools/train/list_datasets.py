from databits.model import Dataset, Page
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    examples=("list datasets", "which training sets exist", "show the datasets"),
)
def list_datasets(store: Store, *, after: After = 0, limit: Limit = 20) -> Page[Dataset]:
    """List datasets, oldest first."""
    return Page.of(store.datasets.page(after, limit + 1), limit, store.datasets.count())
