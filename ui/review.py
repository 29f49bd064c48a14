"""The review page: one card at a time, decided with single keys.

The page is one component whose markup is fixed; `pages/review.js` fills it with text nodes. No data
goes through Gradio's templates: they put values into the source of a JavaScript template literal,
where a text that holds a dollar sign and a brace would run as code, escaped or not.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr
from pydantic import BaseModel, Field, ValidationError

from databits.errors import DatabitsError, NotFound
from databits.model import Item
from databits.store.names import span
from databits.store.shapes import Event
from databits.visible import visible
from databits.workbench import Workbench
from mcp_server.tools.curate.approve_labels import approve_labels
from mcp_server.tools.curate.claim_items import claim_items
from mcp_server.tools.curate.correct_labels import correct_labels
from mcp_server.tools.curate.get_item import ItemDetail, get_item
from mcp_server.tools.curate.list_items import list_items
from mcp_server.tools.curate.queue_status import queue_status
from mcp_server.tools.curate.reject_items import reject_items
from mcp_server.tools.curate.skip_items import skip_items
from mcp_server.tools.registry.get_pipeline import get_pipeline
from mcp_server.tools.registry.list_approvals import list_approvals
from mcp_server.tools.registry.undo_change import undo_change
from mcp_server.tools.template.get_databit import get_databit
from mcp_server.tools.template.list_databits import list_databits
from ui.pages import asset
from ui.person import Person

log = logging.getLogger("databits.ui")

AHEAD = 5
"""Cards the page holds, so that the next one shows without waiting."""
SKIPPED_SHOWN = 50


class Ask(BaseModel):
    """What the page sends; it comes from a browser, so it is checked like any request."""

    databit: str | None = None
    item: int = 0
    verb: str = ""
    label: str = Field("", max_length=80)
    change: int = 0
    skipped: bool = False


class Card(BaseModel):
    """An item as the card shows it."""

    id: int
    text: str
    suggestion: str | None
    confidence: float | None
    why: str
    rationale: str
    origin: str


Answer = dict[str, Any]


class Review:
    """What the keys do. Every method is a call from the page and answers with plain data."""

    def __init__(self, workbench: Workbench) -> None:
        self._person = Person(workbench, "review")

    def open_queue(self, ask: Ask) -> Answer:
        """The Databits to choose from, and the queue of the chosen one, else of the fullest."""
        known = self._person.all(list_databits)
        if not known:
            return {"databits": [], "next": self._person.run(get_pipeline).next}
        names = [d.name for d in known]
        busiest = max(known, key=lambda d: d.items - d.approved)
        name = ask.databit if ask.databit in names else busiest.name
        labels = self._person.run(get_databit, databit=name).body.labels
        return {
            "databits": names,
            "databit": name,
            "labels": [label.model_dump() for label in labels],
            "can_reject": self._person.actor.covers("reviewer"),
            **self.next_cards(Ask(databit=name)),
        }

    def next_cards(self, ask: Ask) -> Answer:
        """The next cards, those in hand included, and how far the queue is."""
        name = ask.databit or ""
        if ask.skipped:
            items = self._person.run(
                list_items, databit=name, state="skipped", limit=SKIPPED_SHOWN
            ).rows
        else:
            items = self._person.run(claim_items, databit=name, count=AHEAD).items
        status = self._person.run(queue_status, databit=name)
        total = status.open + status.labeled + status.approved + status.rejected + status.skipped
        return {
            "cards": [self._card(item) for item in items],
            "left": status.open,
            "total": total,
            "skipped": status.skipped,
            "plans": self._person.run(list_approvals, limit=1).total,
            "next": "" if items else self._person.run(get_pipeline, databit=name).next,
        }

    def decide(self, ask: Ask) -> Answer:
        """One decision on one item; the change's id is what undo takes."""
        about = {"databit": ask.databit or "", "items": [ask.item]}
        if ask.verb == "approve" and self._person.actor.covers("reviewer"):
            done = self._person.run(approve_labels, **about)
        elif ask.verb in ("approve", "correct"):
            # A labeler agrees by giving the suggested label, which then waits for a reviewer.
            done = self._person.run(correct_labels, **about, label=ask.label)
        elif ask.verb == "reject":
            done = self._person.run(reject_items, **about)
        elif ask.verb == "skip":
            done = self._person.run(skip_items, **about)
        else:
            raise NotFound("A card is approved, corrected, rejected or skipped.")
        return {"change": done.change_id}

    def take_back(self, ask: Ask) -> Answer:
        """Take a decision back and show its item again."""
        self._person.run(undo_change, change=ask.change)
        return {"card": self._card(self._person.run(get_item, item=ask.item))}

    def history(self, ask: Ask) -> Answer:
        """Everything that happened to an item, a line each."""
        found = self._person.run(get_item, item=ask.item)
        return {"events": [{"text": _told(e), "undone": e.undone} for e in found.history]}

    def _card(self, item: Item) -> Answer:
        found = item if isinstance(item, ItemDetail) else self._person.run(get_item, item=item.id)
        given = [event for event in found.history if event.kind == "suggested"]
        return Card(
            id=found.id,
            text=visible(found.text),
            suggestion=found.suggestion,
            confidence=found.confidence,
            why=found.why or _why(found.confidence),
            rationale=visible(given[-1].note.partition(". ")[2]) if given else "",
            origin=visible(span(found.record.source, found.record.position, found.record.origin)),
        ).model_dump()


def _why(confidence: float | None) -> str:
    if confidence is None:
        return "No suggestion yet. Ask the chat to pre-label, or choose a label."
    return "The items the engine is least sure of come first."


def _told(event: Event) -> str:
    """An event of an item's history in a line; it is shown as text, never as markup."""
    value = event.label or "no label"
    moved = f" (was {event.before or 'none'})" if event.before != event.label else ""
    what = {
        "queued": "put in the queue",
        "suggested": f"suggested {value}{moved}",
        "undone": f"undone: {value}{moved}",
    }.get(event.kind, f"{event.kind}: {value}{moved}")
    through = ", ".join(filter(None, [event.via, event.client]))
    parts = [
        f"{event.at.astimezone():%d %b %Y %H:%M} {event.by} {what}",
        f"from {event.source}" if event.source else "",
        f"through {through}" if through else "",
        f"run {event.run}" if event.run else "",
        f"change {event.change}",
        "taken back since" if event.undone else "",
    ]
    return visible(", ".join(filter(None, parts)) + (f". {event.note}" if event.note else "."))


def _answering(method: Callable[[Ask], Answer]) -> Callable[[Any], Answer]:
    """A method as the page calls it: a refusal is a sentence on the card, a crash is logged."""

    @wraps(method)
    def call(data: Any) -> Answer:
        try:
            return method(Ask.model_validate(data))
        except ValidationError:
            return {"error": "The page sent something else than a decision. Reload it."}
        except DatabitsError as error:
            return {"error": str(error)}
        except Exception:
            log.exception("the review page's %s crashed", method.__name__)
            return {"error": "That went wrong; the server's log has the details."}

    return call


def build(workbench: Workbench) -> gr.HTML:
    """The review page as a component, inside the current tab."""
    review = Review(workbench)
    return gr.HTML(
        html_template=asset("review.html"),
        js_on_load=asset("review.js") + asset("review_history.js"),
        server_functions=[
            _answering(method)
            for method in (
                review.open_queue,
                review.next_cards,
                review.decide,
                review.take_back,
                review.history,
            )
        ],
        apply_default_css=False,
        elem_id="review",
    )
