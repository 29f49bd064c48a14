from pydantic import BaseModel

from databits.model import Item, Moment, Record
from databits.operation import operation
from databits.store import Store
from databits.types import ItemId


class Event(BaseModel):
    at: Moment
    kind: str
    label: str | None
    by: str
    via: str
    note: str


class ItemDetail(Item):
    record: Record
    history: list[Event]


@operation(
    role="labeler",
    effect="read",
    examples=(
        "show item 12",
        "what is known about item 7",
        "history of item 3",
        "who labelled item 4",
    ),
)
def get_item(store: Store, *, item: ItemId) -> ItemDetail:
    """Read everything known of an item: text, origin, suggestions, decisions, who and when."""
    found = store.items.get(item)
    record = store.records.by_ids([store.items.raw([item])[item].record_id])[0]
    history = [Event.model_validate(event) for event in store.items.history(item)]
    return ItemDetail(**found.model_dump(), record=record, history=history)
