"""History: where an asset comes from, what was changed and how to take it back, and the audit log."""

import logging
from itertools import islice
from typing import Any

import gradio as gr

from databits.errors import DatabitsError
from databits.model import every
from databits.workbench import Workbench
from mcp_server.tools.data.list_sources import list_sources
from mcp_server.tools.deploy.list_endpoints import list_endpoints
from mcp_server.tools.registry.list_changes import list_changes
from mcp_server.tools.registry.search_audit import search_audit
from mcp_server.tools.registry.trace_lineage import trace_lineage
from mcp_server.tools.registry.undo_change import undo_change
from mcp_server.tools.registry.verify_audit import verify_audit
from mcp_server.tools.template.list_databits import list_databits
from mcp_server.tools.train.list_datasets import list_datasets
from mcp_server.tools.train.list_models import list_models
from ui.lineage import draw
from ui.pages import asset, render
from ui.person import Person

log = logging.getLogger("databits.ui")
SHOWN = 40
QUIET: Any = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
# Claims come and go with every look at the queue; they would bury what people did.
BOOKKEEPING = ("claim_items", "release_items")


class Registry:
    """What the history page shows and does; all of it goes through the workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self._person = Person(workbench, "review")

    def assets(self) -> list[str]:
        """What lineage can be asked of by name, what is closest to production first."""
        rows = self._person.all
        names = {
            "endpoint": [row.name for row in rows(list_endpoints)],
            "model": [row.name for row in rows(list_models)],
            "dataset": [row.name for row in rows(list_datasets)],
            "databit": [row.name for row in rows(list_databits)],
            "source": [row.name for row in rows(list_sources)],
        }
        return [f"{kind}:{name}" for kind in names for name in reversed(names[kind])]

    def look(self, chosen: str | None) -> tuple[object, str, str]:
        """The picker with the assets of now, the lineage of the chosen one, and the changes."""
        known = self.assets()
        asset_ref = chosen or (known[0] if known else None)
        pick = gr.Dropdown(choices=known, value=asset_ref)
        return pick, self.lineage(asset_ref), self.changes()

    def lineage(self, asset_ref: str | None) -> str:
        if not asset_ref:
            return render("problem.html", text="Nothing is here yet. Import a file in the chat.")
        try:
            return draw(self._person.run(trace_lineage, asset=asset_ref.strip()))
        except DatabitsError as error:
            return render("problem.html", text=str(error))

    def changes(self, said: str = "") -> str:
        """The newest changes, each with its undo."""
        try:
            found = every(lambda after: self._person.run(list_changes, after=after, limit=100))
            told = (change for change in found if change.operation not in BOOKKEEPING)
            rows = list(islice(told, SHOWN + 1))
        except DatabitsError as error:
            return render("problem.html", text=str(error))
        return render("changes.html", changes=rows[:SHOWN], said=said, more=len(rows) > SHOWN)

    def undo(self, change: Any) -> str:
        """Undo a change and show the list again, with what came of it."""
        try:
            done = self._person.run(undo_change, change=change)
            said = f"Change {done.undone} ({done.operation}) was undone: {done.rows} rows are as they were."
        except DatabitsError as error:
            said = str(error)
        except Exception:
            log.exception("undoing a change crashed")
            said = "That went wrong; the server's log has the details."
        return self.changes(said)

    def audit(self, actor: str | None, operation: str | None, outcome: str | None) -> str:
        """The newest events of the audit log."""
        asked = {"actor": actor, "operation": operation, "outcome": outcome}
        given = {name: value.strip() for name, value in asked.items() if value and value.strip()}
        try:
            page = self._person.run(search_audit, limit=50, **given)
        except DatabitsError as error:
            return render("problem.html", text=str(error))
        return render("audit.html", events=page.rows, total=page.total)

    def verify(self) -> str:
        try:
            found = self._person.run(verify_audit)
        except DatabitsError as error:
            return render("problem.html", text=str(error))
        text = (
            f"Intact: the hashes of all {found.events:,} events hold."
            if found.intact
            else f"Broken: event {found.first_broken} does not follow from the ones before it. "
            "Somebody changed the database past the workbench."
        )
        return render("problem.html", text=text)


def build(workbench: Workbench, tab: gr.Tab) -> None:
    """The history page inside the current tab."""
    registry = Registry(workbench)

    def undo(data: Any) -> str:
        return registry.undo(data)

    gr.Markdown("### Where things come from")
    with gr.Row(elem_classes="picks"):
        pick = gr.Dropdown(
            [],
            label="Asset",
            info="Choose one, or type kind:id, as in item:12",
            allow_custom_value=True,
            interactive=True,
            elem_id="asset",
        )
    picture = gr.HTML(apply_default_css=False, elem_id="lineage")
    gr.Markdown("### Changes")
    changes = gr.HTML(
        apply_default_css=False,
        js_on_load=asset("changes.js"),
        server_functions=[undo],
        elem_id="changes",
    )
    tab.select(registry.look, pick, [pick, picture, changes], **QUIET)
    pick.change(registry.lineage, pick, picture, **QUIET)
    _build_audit(registry)


def _build_audit(registry: Registry) -> None:
    """The audit log, folded away: it is read when it is opened."""
    with gr.Accordion("Audit log", open=False) as audit:
        with gr.Row():
            actor = gr.Textbox(label="By", placeholder="anybody", max_lines=1)
            operation = gr.Textbox(label="Operation", placeholder="any", max_lines=1)
            outcome = gr.Dropdown(
                [("any", ""), "ok", "queued", "planned", "refused", "failed", "cancelled"],
                value="",
                label="Outcome",
                interactive=True,
            )
        events = gr.HTML(apply_default_css=False, elem_id="audit")
        with gr.Row():
            check = gr.Button(
                "Check that nobody has changed the log", size="md", scale=0, min_width=340
            )
        verdict = gr.HTML(apply_default_css=False, elem_id="verdict")
    filters = [actor, operation, outcome]
    audit.expand(registry.audit, filters, events, **QUIET)
    for event in (actor.submit, operation.submit, outcome.input):
        event(registry.audit, filters, events, **QUIET)
    check.click(registry.verify, None, verdict, api_visibility="private")
