"""The approvals page: every plan that waits for a person, whoever asked for it."""

from collections.abc import Callable

import gradio as gr

from databits.model import Plan
from ui.pages import render
from ui.talk import Shown, Talk


def build(talk: Talk, tab: gr.Tab, tabs: gr.Tabs, thread: gr.BrowserState, bot: gr.Chatbot) -> None:
    """The approvals inside the current tab.

    What comes of a decision is told in the chat, which is shown then.
    """
    with gr.Row():
        refresh = gr.Button("Look again", size="md", scale=0, min_width=140)

    @gr.render(triggers=[tab.select, refresh.click])  # type: ignore[untyped-decorator]
    def list_plans() -> None:
        plans = talk.chat.plans()
        if not plans:
            gr.HTML(
                render("problem.html", text="Nothing waits for approval."), apply_default_css=False
            )
        for plan in plans:
            with gr.Column(elem_classes="plan"):
                gr.HTML(render("plan.html", plan=plan), apply_default_css=False)
                with gr.Row(elem_classes="plan-buttons"):
                    for word, approve in (("Approve", True), ("Reject", False)):
                        gr.Button(
                            word, variant="primary" if approve else "secondary", size="md", scale=0
                        ).click(
                            _decider(talk, plan, approve),
                            thread,
                            [bot, tabs],
                            api_visibility="private",
                            show_progress="hidden",
                            concurrency_limit=None,
                        )


def _decider(talk: Talk, plan: Plan, approve: bool) -> Callable[[object, gr.Request], Shown]:
    """What the button of a plan does: decide this very plan."""

    async def decide(thread: object, request: gr.Request) -> Shown:
        async for state in talk.decide(plan, approve, thread, request):
            yield state

    return decide
