from databits.model import Databit, Page
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    examples=(
        "list databits",
        "show my templates",
        "what prompt templates exist",
        "which databits are there",
    ),
)
def list_databits(store: Store, *, after: After = 0, limit: Limit = 20) -> Page[Databit]:
    """List the Databits, oldest first, with their newest version and progress."""
    return Page.of(store.databits.page(after, limit + 1), limit, store.databits.count())
