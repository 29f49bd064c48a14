import time
from typing import Annotated, Literal

from pydantic import Field

from databits.change import Work
from databits.model import Run
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import ENDED
from databits.types import RunId

LINES = 20


@operation(
    role="viewer",
    effect="read",
    quick_with=("run",),
    examples=("how is run 3", "is run 12 finished", "did my training finish", "status of run 7"),
)
def get_run(
    work: Work,
    *,
    run: RunId,
    wait_s: Annotated[float, Field(description="Wait up to this many seconds", ge=0, le=30)] = 0,
    wait_for: Annotated[
        Literal["end", "change"],
        Field(description="What ends the wait: its end, or any step too"),
    ] = "end",
) -> Run:
    """Read a run: state, progress, message, log, and its result or error."""

    def read(store: Store) -> Run:
        return store.runs.watched(run, LINES)

    until = time.monotonic() + wait_s
    found = first = work.read(read)
    while found.state not in ENDED and time.monotonic() < until:
        if wait_for == "change" and _step(found) != _step(first):
            break
        work.progress(found.progress, found.message)  # ends the wait when the caller has gone
        time.sleep(0.1)
        found = work.read(read)
    return found


def _step(run: Run) -> tuple[str, float, str]:
    return run.state, run.progress, run.message
