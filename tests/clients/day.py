"""A day's work that every client does: look, decide with a person's consent, wait for something long."""

from collections.abc import Awaitable, Callable
from typing import Any

from databits.settings import Settings
from databits.store.database import Database
from databits.store.shapes import Filter
from tests.clients.conftest import OPEN, Place
from tests.conftest import TICKETS

Call = Callable[..., Awaitable[dict[str, Any]]]
"""`await call("operation", {…})`: the structured content of a result that is no error."""
NEEDED = {"get_pipeline", "list_items", "bulk_label", "assemble_dataset", "get_run"}


async def look(call: Call, tools: set[str], place: Place) -> None:
    assert tools >= NEEDED
    page = await call("list_items", {"databit": place.databit, "limit": 5})
    assert page["total"] == len(TICKETS)
    assert [row["text"] for row in page["rows"]] == [text for text, _ in TICKETS[:5]]
    pipeline = await call("get_pipeline", {"databit": place.databit})
    states = {stage["name"]: stage["state"] for stage in pipeline["stages"]}
    assert states["data"] == "done"


async def decide(call: Call, place: Place, *, asked: Callable[[], list[str]] | None) -> None:
    """Label what is open, which a person must agree to: in the client, or elsewhere.

    Args:
        asked: What the client has shown to the person at it; None for one that can not ask.
    """
    wanted = {"databit": place.databit, "verdict": "label", "to": "shipping"}
    outcome = await call("bulk_label", wanted)
    if asked is None:
        plan = outcome["plan"]
        assert plan["state"] == "pending"
        assert outcome["result"] is None
        assert f"databits approve {plan['id']}" in outcome["next"]
        left = await call("list_items", {"databit": place.databit, "state": "open"})
        assert left["total"] == OPEN, "nothing happens before a person agrees"
        place.approve(plan["id"])
    else:
        assert outcome["plan"] is None
        assert outcome["result"]["decided"] == OPEN
        assert f"Label as shipping {OPEN} undecided items of {place.databit}" in asked()[-1]
    left = await call("list_items", {"databit": place.databit, "state": "open"})
    assert left["total"] == 0


async def wait(call: Call, place: Place) -> None:
    """Have a dataset made by a worker, and wait for it with `get_run`."""
    run = await call("assemble_dataset", {"databit": place.databit})
    while run["state"] in ("queued", "running"):
        run = await call("get_run", {"run": run["id"], "wait_s": 3})
    assert run["state"] == "succeeded", run["error"]
    assert run["result"]["dataset"] == f"{place.databit}@1"


def check(place: Place, client: str, *, asks: bool) -> None:
    """What the store says of it: who did what, through which software, and who agreed."""
    database = Database(Settings(home=place.home).url)
    read = database.read
    databit = read(lambda store: store.databits.get(place.databit)).databit_id
    assert read(lambda store: store.items.count(databit, Filter(state="open"))) == 0
    made = read(lambda store: store.datasets.page(0, 100))
    assert f"{place.databit}@1" in {dataset.name for _, dataset in made}
    events = read(lambda store: list(store.audit.events()))
    mine = [e for e in events if client in e.client]
    assert {"bulk_label", "assemble_dataset"} <= {e.operation for e in mine if e.outcome == "ok"}
    agreed = [e for e in events if e.operation == "decide_approval" and e.outcome == "ok"]
    assert (client in agreed[-1].client) is asks
    assert read(lambda store: store.audit.first_broken())[1] is None
    database.close()
