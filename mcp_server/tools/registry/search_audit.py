from typing import Annotated

from pydantic import Field

from databits.model import AuditEvent, Page
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="reviewer",
    effect="read",
    examples=(
        "show the audit log",
        "who deployed what",
        "search the audit for ana",
        "what was refused",
    ),
)
def search_audit(
    store: Store,
    *,
    actor: Annotated[str | None, Field(description="Only by this person", max_length=120)] = None,
    operation: Annotated[
        str | None, Field(description="Only of this operation", max_length=80)
    ] = None,
    outcome: Annotated[
        str | None,
        Field(description="ok, queued, planned, refused, failed or cancelled", max_length=12),
    ] = None,
    change: Annotated[int | None, Field(description="Only of this change", ge=1)] = None,
    trace: Annotated[
        str | None, Field(description="Only of this W3C trace id", pattern="^[0-9a-f]{32}$")
    ] = None,
    after: After = 0,
    limit: Limit = 20,
) -> Page[AuditEvent]:
    """Search the audit log, newest first: who called what, through which surface, and how it ended.

    `total` counts up to 10,000.
    """
    asked = {"actor": actor, "operation": operation, "outcome": outcome}
    rows = store.audit.page(after, limit + 1, **asked, change_id=change, trace_id=trace)
    total = store.audit.count(**asked, change_id=change, trace_id=trace)
    return Page.of([(row.id, row) for row in rows], limit, total)
