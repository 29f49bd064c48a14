"""The page: its tabs, its look, and the chat's wiring."""

from typing import Any

import gradio as gr

from databits.workbench import Workbench
from ui import approvals, board, monitor, registry, review
from ui.chat import Chat
from ui.pages import render
from ui.person import Person
from ui.talk import Talk
from ui.uploads import KINDS

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
TALK: dict[str, Any] = {**QUIET, "concurrency_limit": None}


def theme() -> gr.themes.Base:
    """System fonts only: nothing is fetched, and it looks at home."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
    )


def build_page(workbench: Workbench, chat: Chat) -> gr.Blocks:
    """Every tab; what is read or done goes through the workbench as the person at the page."""
    page = gr.Blocks(title="Databits Workbench", analytics_enabled=False, delete_cache=(3600, 3600))
    with page:
        person = Person(workbench, "chat")
        top = gr.HTML(render("top.html", person=""), apply_default_css=False)
        page.load(lambda: _top(person), None, top, queue=False, **QUIET)
        thread = gr.BrowserState("", storage_key="databits-thread", secret="databits-thread")
        talk = Talk(chat)
        timer = gr.Timer(board.REFRESH_S, active=False)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Chat", id="chat") as chat_tab:
                bot = _build_chat(page, talk, thread, tabs)
            with gr.Tab("Review", id="review") as review_tab:
                review.build(workbench)
            with gr.Tab("Board", id="board") as board_tab:
                board.build(workbench, board_tab, timer)
            with gr.Tab("Monitor", id="monitor") as monitor_tab:
                monitor.build(workbench, monitor_tab)
            with gr.Tab("Approvals", id="approvals") as approvals_tab:
                approvals.build(talk, approvals_tab, tabs, thread, bot)
            with gr.Tab("History", id="history") as history_tab:
                registry.build(workbench, history_tab)
        # Only the board moves by itself, and only while somebody looks at it.
        for tab in (chat_tab, review_tab, monitor_tab, approvals_tab, history_tab):
            tab.select(lambda: gr.Timer(active=False), None, timer, queue=False, **QUIET)
        board_tab.select(lambda: gr.Timer(active=True), None, timer, queue=False, **QUIET)
    page.queue(default_concurrency_limit=8, max_size=100)
    return page


def _top(person: Person) -> str:
    """The line above the tabs: whose page it is, and the way out for who has signed in."""
    actor = person.actor
    return render(
        "top.html",
        person=actor.name,
        role=actor.role,
        home="" if person.folder else person.workbench.settings.home,
        can_leave=person.can_sign_out,
    )


def _build_chat(page: gr.Blocks, talk: Talk, thread: gr.BrowserState, tabs: gr.Tabs) -> gr.Chatbot:
    """The chat inside the current tab."""
    with gr.Row(elem_classes="chat-head"):
        earlier = gr.Dropdown(
            [],
            label="Conversations",
            show_label=False,
            container=False,
            interactive=True,
            elem_id="earlier",
            scale=3,
        )
        new = gr.Button("New chat", size="md", scale=0, min_width=120, elem_id="new-chat")
    bot = _chatbot()
    box = gr.MultimodalTextbox(
        elem_id="box",
        show_label=False,
        placeholder="Say what you want to do, or drop a file here",
        sources=["upload"],
        file_count="multiple",
        file_types=list(KINDS),
        autofocus=True,
        max_plain_text_length=20_000,
    )
    everything = [thread, earlier, bot]
    page.load(talk.open, thread, everything, **TALK)
    new.click(talk.new, None, everything, **TALK)
    earlier.input(talk.open, earlier, everything, **TALK)
    box.submit(talk.send, [box, thread], [box, *everything], **TALK)
    bot.option_select(talk.press, thread, [box, tabs, *everything], **TALK)
    page.unload(talk.leave)
    return bot


def _chatbot() -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="bot",
        show_label=False,
        height="calc(100dvh - 290px)",
        min_height=320,
        layout="bubble",
        group_consecutive_messages=False,
        feedback_options=None,
        buttons=[],
        latex_delimiters=[],
        allow_file_downloads=False,
        placeholder="One moment …",
    )
