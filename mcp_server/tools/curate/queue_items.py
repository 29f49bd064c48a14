from typing import Annotated

from pydantic import Field

from databits.errors import NotFound
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import DatabitName, SourceName


class Queued(Changed):
    databit: str
    queued: int
    already_there: int


@operation(
    role="reviewer",
    effect="write",
    examples=(
        "queue the records of X for Y",
        "put X in the queue of Y",
        "load the source X into the databit Y",
        "queue everything in X for labelling with Y",
        "queue 500 records of X for Y",
        "add the tickets to the Y queue",
    ),
)
def queue_items(
    store: Store,
    *,
    databit: DatabitName,
    source: SourceName | None = None,
    contains: Annotated[
        str | None, Field(description="Only records that contain this text", max_length=200)
    ] = None,
    records: Annotated[
        list[int] | None,
        Field(description="Record ids; default: all of the source", min_length=1, max_length=500),
    ] = None,
    sample: Annotated[
        int | None,
        Field(
            description="Only this many, drawn at random, the same ones each time",
            ge=1,
            json_schema_extra={"x-entity": "count"},
        ),
    ] = None,
) -> Queued:
    """Put records into the labelling queue of a Databit.

    A record is queued once: calling again adds only what is new.
    """
    target = store.databits.get(databit)
    if records is not None:
        found = [r.id for r in store.records.by_ids(list(dict.fromkeys(records)))]
        missing = [str(i) for i in records if i not in set(found)]
        if missing:
            raise NotFound(
                f"There is no record {', '.join(missing[:5])}; nothing was queued. get_records shows the ids."
            )
    else:
        found = store.records.ids(source, contains, sample=sample)
    new = store.items.queue(target.databit_id, found, why={}, priority={})
    return Queued(databit=databit, queued=len(new), already_there=len(found) - len(new))
