from databits.model import QueueStatus
from databits.operation import operation
from databits.store import Store
from databits.types import DatabitName


@operation(
    role="viewer",
    effect="read",
    examples=(
        "how far is X",
        "progress of X",
        "how many items of X are left",
        "status of the X queue",
        "who labelled how much in X",
    ),
)
def queue_status(store: Store, *, databit: DatabitName) -> QueueStatus:
    """Count a Databit's items by state, label and reviewer."""
    target = store.databits.get(databit)
    return QueueStatus(databit=databit, **store.items.status(target.databit_id))
