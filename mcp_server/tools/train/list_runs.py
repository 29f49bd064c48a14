from typing import Annotated

from pydantic import Field

from databits.model import Page, Run, RunState
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    examples=("list runs", "which jobs are running", "show the failed runs", "what is running"),
)
def list_runs(
    store: Store,
    *,
    state: Annotated[RunState | None, Field(description="Only in this state")] = None,
    after: After = 0,
    limit: Limit = 20,
) -> Page[Run]:
    """List runs of long operations, newest first."""
    rows = store.runs.page(state, after, limit + 1)
    found = [(run.id, run.model_copy(update={"result": None})) for run in rows]
    return Page.of(found, limit, store.runs.count(state))
