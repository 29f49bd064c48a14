from databits.model import Endpoint, Page
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    examples=("list endpoints", "what is in production", "which endpoints are live"),
)
def list_endpoints(store: Store, *, after: After = 0, limit: Limit = 20) -> Page[Endpoint]:
    """List endpoints, oldest first, with the model each serves."""
    return Page.of(store.endpoints.page(after, limit + 1), limit, store.endpoints.count())
