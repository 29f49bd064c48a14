from databits.model import Model, Page
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    examples=("list models", "which models do we have", "show the trained models"),
)
def list_models(store: Store, *, after: After = 0, limit: Limit = 20) -> Page[Model]:
    """List models, oldest first, with the accuracy of their newest evaluation."""
    found = store.models.page(after, limit)
    return Page(
        rows=[model for _, model in found],
        total=store.models.count(),
        next=found[-1][0] if len(found) == limit else None,
    )
