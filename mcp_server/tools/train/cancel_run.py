from databits.actor import Actor
from databits.errors import Conflict, NotAllowed
from databits.model import Changed, RunState
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import ENDED, now
from databits.types import RunId


class Cancelling(Changed):
    run: int
    state: RunState


@operation(
    # The least that any run takes to begin it.
    role="reviewer",
    effect="write",
    examples=("cancel run 3", "stop the training", "abort run 12"),
)
def cancel_run(store: Store, actor: Actor, *, run: RunId) -> Cancelling:
    """Cancel a run: your own, or as an engineer anybody's.

    One that waits ends at once, one that works within a second; no change is made.
    """
    row = store.runs.raw(run)
    if row.actor["name"] != actor.name and not actor.covers("engineer"):
        raise NotAllowed(
            f"Run {run} was begun by somebody else: they can cancel it, or an engineer. You are {actor.role}."
        )
    if row.state in ENDED:
        raise Conflict(f"Run {run} has {row.state} already.")
    if row.state == "queued":
        store.runs.set(run, state="cancelled", cancel=1, message="cancelled", finished_at=now())
        store.runs.note(run, [(now(), "cancelled")])
        return Cancelling(run=run, state="cancelled")
    store.runs.set(run, cancel=1, message="cancelling")
    return Cancelling(run=run, state="running")
