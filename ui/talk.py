"""The chat's events: what somebody does on the page, and what the page shows then."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from databits.errors import DatabitsError
from databits.model import Plan
from ui.chat import Chat
from ui.conversation import Conversation
from ui.markdown import escape
from ui.steps import TO_COMPLETE
from ui.transcripts import Message

Shown = AsyncIterator[tuple[Any, ...]]
SAME = gr.skip()


class Talk:
    """Handlers of Gradio's events, as generators of what the page shows.

    A handler shows its conversation until nothing goes on in it, which may be long after it was
    left for another one; so each page has one thread it looks at, and the handlers of any other
    end. It is known before the browser has been told of it: the first message may be faster.
    """

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self._looks_at: dict[str, str] = {}

    async def open(self, thread: object, request: gr.Request) -> Shown:
        conversation = await self._conversation(thread, request)
        async for state in self._shown(conversation, request):
            yield state

    async def new(self, request: gr.Request) -> Shown:
        self.leave(request)
        async for state in self.open("", request):
            yield state

    async def send(self, said: dict[str, Any], thread: object, request: gr.Request) -> Shown:
        conversation = await self._conversation(thread, request)
        text, files = str(said.get("text") or ""), list(said.get("files") or [])
        if text.strip() or files:
            self.chat.send(conversation, text, files)
        box: Any = {"text": "", "files": []}
        async for state in self._shown(conversation, request):
            yield box, *state
            box = SAME  # the person may be writing the next message

    async def press(self, thread: object, request: gr.Request, event: gr.SelectData) -> Shown:
        """A button under a message: a request, a tab, or a decision."""
        verb, _, rest = str(event.value).partition(":")
        if verb == "open":
            yield SAME, gr.Tabs(selected=rest), SAME, SAME, SAME
            return
        if verb == "ask" and rest.endswith(TO_COMPLETE):
            text = {"text": rest.removesuffix(TO_COMPLETE), "files": []}
            yield text, SAME, SAME, SAME, SAME
            return
        conversation = await self._conversation(thread, request)
        if verb == "ask":
            self.chat.send(conversation, rest, [])
        elif verb in ("approve", "reject"):
            await self._decide(conversation, rest, verb == "approve")
        async for state in self._shown(conversation, request):
            yield SAME, SAME, *state

    async def decide(self, plan: Plan, approve: bool, thread: object, request: gr.Request) -> Shown:
        """A button of the approvals page: what comes of it is shown in the chat."""
        conversation = await self._conversation(thread, request)
        self.chat.decide(conversation, plan, approve)
        tabs: Any = gr.Tabs(selected="chat")
        async for _, _, messages in self._shown(conversation, request):
            yield messages, tabs
            tabs = SAME  # the person may have gone on to another one

    def leave(self, request: gr.Request) -> None:
        """Nobody looks from this page any more."""
        self._looks_at.pop(str(request.session_hash), None)

    async def _conversation(self, thread: object, request: gr.Request) -> Conversation:
        page = str(request.session_hash)
        named = thread or self._looks_at.get(page)
        self._looks_at[page] = self.chat.transcripts.thread(named)
        return await self.chat.open(self._looks_at[page])

    async def _decide(self, conversation: Conversation, rest: str, approve: bool) -> None:
        approval, _, digest = rest.partition(":")
        try:
            plan = await self.chat.plan_of(conversation, approval, digest)
            self.chat.decide(conversation, plan, approve)
        except DatabitsError as error:
            conversation.say(Message(role="assistant", content=escape(str(error))))

    async def _shown(self, conversation: Conversation, request: gr.Request) -> Shown:
        """Thread, list of conversations and messages; the first two change only at the start."""
        page = str(request.session_hash)
        head: tuple[Any, Any] = conversation.thread, self._earlier(conversation.thread)
        async for messages in conversation.watch():
            if self._looks_at.get(page) != conversation.thread:
                return
            yield *head, [dict(message) for message in messages]
            head = SAME, SAME

    def _earlier(self, thread: str) -> gr.Dropdown:
        known = self.chat.transcripts.recent()
        if thread not in [name for _, name in known]:
            known.insert(0, ("This conversation", thread))
        return gr.Dropdown(choices=known, value=thread)
