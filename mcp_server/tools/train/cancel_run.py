from databits.errors import Conflict
from databits.model import Changed, RunState
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import ENDED, now
from databits.types import RunId


class Cancelling(Changed):
    run: int
    state: RunState


@operation(
    role="engineer", effect="write", examples=("cancel run 3", "stop the training", "abort run 12")
)
def cancel_run(store: Store, *, run: RunId) -> Cancelling:
    """Cancel a run. One that waits ends at once, one that works within a second; no change is made."""
    row = store.runs.raw(run)
    if row.state in ENDED:
        raise Conflict(f"Run {run} has {row.state} already.")
    if row.state == "queued":
        store.runs.set(run, state="cancelled", cancel=1, message="cancelled", finished_at=now())
        store.runs.note(run, [(now(), "cancelled")])
        return Cancelling(run=run, state="cancelled")
    store.runs.set(run, cancel=1, message="cancelling")
    return Cancelling(run=run, state="running")
