"""One conversation: what it shows, and what is going on in it.

Turns and runs go on in tasks of their own. A page that is closed or reloaded in the middle stops
nothing, and whoever looks again sees how far it is.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from agent.events import Event, Failed
from databits.errors import DatabitsError
from ui.telling import Telling
from ui.transcripts import Message, Transcripts

log = logging.getLogger("databits.ui")
FRAME_S = 0.05
"""The page is brought up to date at most this often; a model may say fifty words a second."""


class Conversation:
    """The messages of a thread, and who works on them."""

    def __init__(self, thread: str, transcripts: Transcripts) -> None:
        self.thread = thread
        self._transcripts = transcripts
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._version = 0
        self._changed = asyncio.Event()
        self.opening = asyncio.Lock()
        """Held while it is greeted, so that it is greeted once."""
        self.turn = asyncio.Lock()
        """Held while the assistant answers: it takes one message at a time."""

    @property
    def memory(self) -> str:
        """What the assistant knows it by: whoever names another's thread finds nothing in it."""
        return f"{self._transcripts.owner}{self.thread}"

    @property
    def messages(self) -> list[Message]:
        return self._transcripts.messages(self.thread)

    def say(self, message: Message) -> None:
        self.messages.append(message)
        self.touch()

    def touch(self) -> None:
        """The messages have changed: whoever watches is told."""
        self._version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def keep(self) -> None:
        self._transcripts.save(self.thread)

    def start(self, name: str, work: Awaitable[None]) -> None:
        """Let something go on; of one name, one at a time."""

        async def run() -> None:
            try:
                await work
            except Exception:
                log.exception("the chat's %s crashed", name)
                self.say(
                    Message(
                        role="assistant",
                        content="That went wrong; the server's log has the details.",
                    )
                )
            finally:
                self._tasks.pop(name, None)
                self.keep()
                self.touch()

        self._tasks[name] = asyncio.create_task(run(), name=name)

    def is_doing(self, name: str) -> bool:
        return name in self._tasks

    def is_following(self, prefix: str) -> bool:
        """Whether anything goes on whose name begins so."""
        return any(name.startswith(prefix) for name in self._tasks)

    async def tell(self, events: AsyncIterator[Event]) -> tuple[str, dict[str, Any]] | None:
        """Show a turn of the assistant while it goes on.

        Returns:
            The last operation that went well, and its result.
        """
        telling = Telling(self.messages)
        try:
            async for event in events:
                telling.take(event)
                self.touch()
        except DatabitsError as error:
            telling.take(Failed(str(error)))
        finally:
            telling.close()
            self.touch()
        return telling.done

    async def watch(self) -> AsyncIterator[list[Message]]:
        """The messages, now and after every change, until nothing goes on any more."""
        seen = -1
        while True:
            changed = self._changed
            if seen != self._version:
                seen = self._version
                yield self.messages
            if not self._tasks and seen == self._version:
                return
            await changed.wait()
            await asyncio.sleep(FRAME_S)

    async def close(self) -> None:
        """Stop what goes on; runs themselves go on in their workers."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
