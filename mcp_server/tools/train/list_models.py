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
    return Page.of(store.models.page(after, limit + 1), limit, store.models.count())
