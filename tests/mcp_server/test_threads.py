"""Work in threads."""

import threading
from typing import Any

import anyio
import pytest

from databits.errors import Cancelled
from mcp_server.threads import in_thread, progress_to

pytestmark = pytest.mark.anyio


class Listener:
    def __init__(self) -> None:
        self.told: list[tuple[float, float, str]] = []

    async def report_progress(self, done: float, total: float, message: str) -> None:
        self.told.append((done, total, message))


async def test_work_stops_at_its_next_word_when_the_client_cancels() -> None:
    listener: Any = Listener()
    say = progress_to(listener)
    cancelled = threading.Event()
    ended: list[type[BaseException]] = []

    def work() -> None:
        say(0.1, "started")
        cancelled.wait(120)
        try:
            say(0.9, "nearly there")
        except Cancelled as error:
            ended.append(type(error))

    async def cancel(scope: anyio.CancelScope) -> None:
        while not listener.told:
            await anyio.sleep(0.001)
        scope.cancel()
        cancelled.set()

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(cancel, scope)
            await in_thread(work)
    assert listener.told == [(0.1, 1.0, "started")]
    assert ended == [Cancelled]
