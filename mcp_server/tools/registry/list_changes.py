from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from databits.model import Page
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import ListedChange, Wanted
from databits.types import After, AssetRef, Limit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    asset: Annotated[
        AssetRef | None, Field(description="Only what touched this, as item:12")
    ] = None,
    state: Annotated[
        Literal["applied", "undone"] | None, Field(description="Only in this state")
    ] = None,
    since: Annotated[
        datetime | None, Field(description="From this time on, ISO 8601; UTC if it has no zone")
    ] = None,
    until: Annotated[datetime | None, Field(description="Before this time")] = None,
    after: After = 0,
    limit: Limit = 20,
) -> Page[ListedChange]:
    """List changes, newest first: who did what, when, and whether it can be undone.

    `total` counts up to 1,000.
    """
    wanted = Wanted(
        actor,
        operation,
        state,
        _microseconds(since),
        _microseconds(until),
        store.lineage.find(asset) if asset else None,
    )
    rows = store.history.page(wanted, after, limit + 1)
    return Page.of([(row.id, row) for row in rows], limit, store.history.count(wanted))


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)
