"""The monitor: what endpoints answer, how fast, how it is liked, and whether their input has moved."""

import gradio as gr

from databits.errors import DatabitsError
from databits.workbench import Workbench
from mcp_server.tools.deploy.list_endpoints import list_endpoints
from mcp_server.tools.monitor.query_drift import query_drift
from mcp_server.tools.monitor.query_metrics import query_metrics
from ui.pages import render
from ui.person import Person

PERIODS = {
    "the last hour": 1.0,
    "the last day": 24.0,
    "the last week": 168.0,
    "the last year": 8760.0,
}
DAY = "the last day"


class Monitor:
    """What the monitor shows; all of it is read through the workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self._person = Person(workbench, "review")

    def look(self, endpoint: str | None, period: str) -> tuple[object, str]:
        """The picker with the endpoints of now, and the metrics of the chosen one."""
        names = [e.name for e in self._person.all(list_endpoints)]
        chosen = endpoint if endpoint in names else (names[-1] if names else None)
        pick = gr.Dropdown(choices=names, value=chosen, visible=bool(names))
        if chosen is None:
            text = "Nothing is deployed yet. In the chat: train a model, then deploy it."
            return pick, render("problem.html", text=text)
        return pick, self.metrics(chosen, period)

    def metrics(self, endpoint: str, period: str) -> str:
        try:
            found = self._person.run(
                query_metrics, endpoint=endpoint, hours=PERIODS.get(period, PERIODS[DAY])
            )
        except DatabitsError as error:
            return render("problem.html", text=str(error))
        return render("metrics.html", metrics=found, period=period)

    def drift(self, endpoint: str | None) -> str:
        """The verdict on drift; it embeds the newest requests, so it is made when asked for."""
        try:
            return render(
                "drift.html", drift=self._person.run(query_drift, endpoint=endpoint or "")
            )
        except DatabitsError as error:
            return render("problem.html", text=str(error))


def build(workbench: Workbench, tab: gr.Tab) -> None:
    """The monitor inside the current tab; figures are read when it is opened or something is chosen."""
    monitor = Monitor(workbench)
    with gr.Row(elem_classes="picks"):
        pick = gr.Dropdown(
            [], label="Endpoint", interactive=True, visible=False, elem_id="endpoint"
        )
        period = gr.Dropdown(list(PERIODS), value=DAY, label="Period", interactive=True)
    page = gr.HTML(apply_default_css=False, elem_id="metrics")
    with gr.Row():
        check = gr.Button(
            "Check for drift", elem_id="check-drift", size="md", scale=0, min_width=180
        )
    verdict = gr.HTML(apply_default_css=False, elem_id="drift")
    for event in (tab.select, pick.input, period.input):
        event(
            monitor.look,
            [pick, period],
            [pick, page],
            api_visibility="private",
            show_progress="hidden",
            queue=False,
        )
    pick.input(lambda: "", None, verdict, api_visibility="private", show_progress="hidden")
    check.click(monitor.drift, pick, verdict, api_visibility="private")
