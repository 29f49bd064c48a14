"""The assistant, started behind the page: its planner takes seconds to warm up, the page must not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from databits.errors import DatabitsError, Unavailable
from databits.workbench import Workbench

if TYPE_CHECKING:
    from agent.runtime import Assistant

log = logging.getLogger("databits.ui")


class Standby:
    """Opens the assistant in a task of its own, which also closes it; others wait for it here."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self._ready: asyncio.Future[Assistant] | None = None
        self._over = asyncio.Event()
        self._loaded = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start warming up; on leaving, close the assistant."""
        self._ready = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._live(self._ready), name="assistant")
        try:
            yield
        finally:
            self._over.set()
            with suppress(Exception):  # it was logged when it happened
                await asyncio.wait_for(task, timeout=5)

    async def assistant(self) -> "Assistant":
        """The assistant, as soon as it is there.

        Raises:
            DatabitsError: when it could not be started.
        """
        if self._ready is None:
            raise Unavailable("The assistant starts with the server; it is not running.")
        return await asyncio.shield(self._ready)

    async def loaded(self) -> None:
        """Wait until nothing heavy is being loaded any more, whether or not it went well.

        Two threads that load MLflow at once can stop each other: its modules need one another.
        """
        if self._ready is not None:
            await self._loaded.wait()

    async def _live(self, ready: "asyncio.Future[Assistant]") -> None:
        try:
            opening = await asyncio.to_thread(_open, self.workbench)
            async with opening as assistant:
                ready.set_result(assistant)
                try:  # then what the first request to an endpoint would else wait for
                    await asyncio.to_thread(getattr, self.workbench, "serving")
                except Exception:  # whoever asks an endpoint will hear of it
                    log.warning("endpoints could not be made ready", exc_info=True)
                self._loaded.set()
                await self._over.wait()
        except DatabitsError as error:
            _fail(ready, error)
        except Exception:
            log.exception("the assistant could not be started")
            _fail(
                ready,
                Unavailable(
                    "The assistant could not be started; the server's log has the details. "
                    "Review, Board and History work without it."
                ),
            )
        finally:
            self._loaded.set()


def _open(workbench: Workbench) -> "AbstractAsyncContextManager[Assistant]":
    from ui.assistant import open_assistant  # seconds of imports, which the page does not wait for

    return open_assistant(workbench)


def _fail(ready: "asyncio.Future[Assistant]", error: DatabitsError) -> None:
    if not ready.done():
        ready.set_exception(error)
        ready.exception()  # seen: nobody may ever ask
