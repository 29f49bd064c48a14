"""A chat over the real server and store, as a person at the page has it."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agent.client import acting_as
from agent.events import ApprovalAsked, Event, Failed, Suggestions, Text, ToolFinished, ToolStarted
from agent.runtime import Assistant
from databits.actor import Actor
from databits.platforms.embedded import Embedded
from databits.platforms.embedded.jobs import work
from mcp_server.server import build_server

NOBODY = Actor("nobody", "viewer", "chat")
ANN = Actor("ann", "admin", "chat", client="databits-agent")


class AtOnce:
    """Works on a run as soon as it is queued, beside the call that queued it."""

    def __init__(self, workbench: Embedded) -> None:
        self.workbench = workbench

    def submit(self, run_id: int) -> None:
        threading.Thread(target=work, args=(self.workbench,), kwargs={"idle_seconds": 0}).start()

    def close(self) -> None:
        pass


class Chat:
    """One thread of an assistant, and the events of its turns."""

    def __init__(self, assistant: Assistant, workbench: Embedded, thread: str = "t") -> None:
        self.assistant = assistant
        self.workbench = workbench
        self.thread = thread
        self.events: list[Event] = []

    async def say(self, message: str) -> str:
        """The answer's text."""
        return await self._listen(self.assistant.turn(self.thread, message))

    async def decide(self, approve: bool, *, record: bool = True) -> str:
        """Decide the open approval as a person does: on record first, then the turn goes on."""
        asked = (await self.assistant.pending(self.thread))[0]
        if record:
            said = {"plan": asked.plan["id"], "approve": approve, "digest": asked.plan["digest"]}
            self.workbench.run("decide_approval", said, ANN.through("chat", person=True))
        return await self._listen(self.assistant.answer(self.thread, asked.id, approve))

    async def _listen(self, events: AsyncIterator[Event]) -> str:
        self.events = [event async for event in events]
        failed = [event.message for event in self.events if isinstance(event, Failed)]
        return "".join(e.text for e in self.events if isinstance(e, Text)) + "".join(failed)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        return [(e.tool, e.arguments) for e in self.events if isinstance(e, ToolStarted)]

    @property
    def finished(self) -> list[ToolFinished]:
        return [e for e in self.events if isinstance(e, ToolFinished)]

    @property
    def asked(self) -> list[ApprovalAsked]:
        return [e for e in self.events if isinstance(e, ApprovalAsked)]

    @property
    def suggestions(self) -> list[str]:
        return [r for e in self.events if isinstance(e, Suggestions) for r in e.requests]


@asynccontextmanager
async def chatting(workbench: Embedded) -> AsyncIterator[Chat]:
    server = build_server(workbench, lambda _: acting_as.get() or NOBODY, relay=True)
    async with Assistant.open(workbench.settings, server) as assistant:
        acting_as.set(ANN)
        yield Chat(assistant, workbench)
