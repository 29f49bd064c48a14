from typing import Annotated

from pydantic import Field

from databits.model import Change, Page
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    examples=(
        "list the changes",
        "what was changed lately",
        "what did ana change",
        "show the history",
    ),
)
def list_changes(
    store: Store,
    *,
    actor: Annotated[str | None, Field(description="Only by this person", max_length=120)] = None,
    operation: Annotated[
        str | None, Field(description="Only by this operation", max_length=80)
    ] = None,
    after: After = 0,
    limit: Limit = 20,
) -> Page[Change]:
    """List changes, newest first: who did what, when, and whether it still stands."""
    rows = store.changes.page(after, limit + 1, actor=actor, operation=operation)
    total = store.changes.count(actor=actor, operation=operation)
    return Page.of([(row.id, row) for row in rows], limit, total)
