"""The board: the seven stages of a Databit, and everything the workbench holds."""

import gradio as gr

from databits.errors import DatabitsError
from databits.workbench import Workbench
from mcp_server.tools.curate.queue_status import queue_status
from mcp_server.tools.deploy.list_endpoints import list_endpoints
from mcp_server.tools.registry.get_pipeline import get_pipeline
from mcp_server.tools.template.list_databits import list_databits
from mcp_server.tools.train.get_run import get_run
from mcp_server.tools.train.list_datasets import list_datasets
from mcp_server.tools.train.list_models import list_models
from mcp_server.tools.train.list_runs import list_runs
from ui.pages import render
from ui.person import Person

SHOWN = 100
REFRESH_S = 8


class Board:
    """What the board shows; all of it is read through the workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self._person = Person(workbench, "review")

    def names(self) -> list[str]:
        return [d.name for d in self._person.all(list_databits)]

    def page(self, databit: str | None) -> str:
        """The board of a Databit, or of the newest, as markup."""
        run = self._person.run
        pipeline = run(get_pipeline, databit=databit or None)
        name = pipeline.databit
        return render(
            "board.html",
            pipeline=pipeline,
            queue=run(queue_status, databit=name) if name else None,
            runs=[
                run(get_run, run=found.id)  # with its log
                for state in ("running", "queued")
                for found in run(list_runs, state=state, limit=5).rows
            ],
            databits=run(list_databits, limit=SHOWN),
            datasets=run(list_datasets, limit=SHOWN),
            models=run(list_models, limit=SHOWN),
            endpoints=run(list_endpoints, limit=SHOWN),
        )

    def look(self, databit: str | None) -> tuple[object, str]:
        """The picker with what exists now, and the page."""
        names = self.names()
        chosen = databit if databit in names else (names[-1] if names else None)
        try:
            page = self.page(chosen)
        except DatabitsError as error:
            page = render("problem.html", text=str(error))
        return gr.Dropdown(choices=names, value=chosen, visible=bool(names)), page


def build(workbench: Workbench, tab: gr.Tab, timer: gr.Timer) -> None:
    """The board inside the current tab; it refreshes while `timer` runs, which is while it shows."""
    board = Board(workbench)
    with gr.Row(elem_classes="picks"):
        pick = gr.Dropdown(
            [], label="Databit", interactive=True, visible=False, elem_id="board-pick"
        )
    page = gr.HTML(apply_default_css=False, elem_id="board")
    for event in (tab.select, timer.tick):
        event(
            board.look,
            pick,
            [pick, page],
            api_visibility="private",
            show_progress="hidden",
            queue=False,
        )
    pick.input(
        board.look,
        pick,
        [pick, page],
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
