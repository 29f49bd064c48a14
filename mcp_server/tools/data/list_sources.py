from databits.model import Page, Source
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    examples=(
        "list sources",
        "what data do we have",
        "which files were imported",
        "show the data sources",
    ),
)
def list_sources(store: Store, *, after: After = 0, limit: Limit = 20) -> Page[Source]:
    """List the sources that were imported, oldest first."""
    rows = store.records.sources(after, limit + 1)
    return Page.of([(row.id, row) for row in rows], limit, store.records.count_sources())
