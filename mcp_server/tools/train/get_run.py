import time
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from databits.model import Run
from databits.operation import operation
from databits.store.runs import ENDED
from databits.types import RunId

if TYPE_CHECKING:
    from databits.store.database import Database


@operation(
    role="viewer",
    effect="read",
    examples=("how is run 3", "is run 12 finished", "did my training finish", "status of run 7"),
)
def get_run(
    database: "Database",
    *,
    run: RunId,
    wait_s: Annotated[
        float, Field(description="Wait up to this many seconds for it to end", ge=0, le=30)
    ] = 0,
) -> Run:
    """Read a run: state, progress, message, and its result or error."""
    until = time.monotonic() + wait_s
    found = database.read(lambda store: store.runs.get(run))
    while found.state not in ENDED and time.monotonic() < until:
        time.sleep(0.1)
        found = database.read(lambda store: store.runs.get(run))
    return found
