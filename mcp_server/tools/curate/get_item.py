from databits.model import Item, Record
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import Event
from databits.types import ItemId


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
    """Read everything known of an item: text, origin, and every suggestion and label it ever had.

    The history says who set what to what, from what, when and through which surface and client, and
    keeps what was undone since.
    """
    found = store.items.get(item)
    record = store.records.by_ids([store.items.raw([item])[item].record_id])[0]
    return ItemDetail(**found.model_dump(), record=record, history=store.history.item(item))
