"""Who waits for what, and one look a second at whether there is anything new, while somebody does.

Nothing in the store knows of those who wait. One task asks for the workspace's pulse; when it has
changed, whatever changed it, each thing that is waited for is read again as the one who waits, and
told when it is another one. So nobody hears of what they may not read, and it does not matter
through which surface or process a change came. The task begins with the first who waits and ends
with the last.
"""

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR

from databits.actor import Actor
from databits.errors import DatabitsError, NotAllowed, NotFound
from databits.ports import Runner

log = logging.getLogger("databits")
T = TypeVar("T")
PACE_S = 1.0
LIST_PACE_S = 5.0
"""For what nobody asked to hear of, as older clients of a list that they once read."""
SHARE = 10
"""The task rests that many times as long as it looked: a busy workspace with many who wait for it
makes them wait longer, never the workspace."""
MOST = 100
"""Things that one caller may wait for at once."""
TELL_WITHIN_S = 5.0
GONE = "gone"

Known = dict[tuple[str, Actor], str]
"""What was read in this round: who waits for the same, with the same rights, costs one read."""


@dataclass(eq=False)
class Watch:
    """Something that one caller waits for."""

    look: Callable[[Known], str]
    """A text that is another one once the thing is. Called in a thread; raises NotAllowed for a
    caller who may not read it any more."""
    tell: Callable[[], Awaitable[None]]
    pace_s: float
    seen: str = ""
    failing: bool = False
    checked: bool = False
    """Whether it was looked at since it was added: it may have changed in between."""


class Watcher:
    """The watches of one running server."""

    def __init__(self, runner: Runner, group: TaskGroup) -> None:
        self._runner = runner
        self._group = group
        self._watches: list[Watch] = []
        self._held: Counter[str] = Counter()
        self._working = False
        self._failing = False
        self._woken = anyio.Event()

    def add(self, who: str, watches: Iterable[Watch]) -> Callable[[], None]:
        """Watch for a caller; returns what ends it, which may be called twice.

        Raises:
            MCPError: when the caller waits for too much already.
        """
        new = list(watches)
        weight = max(1, len(new))  # a stream that waits for nothing is an open stream too
        if self._held[who] + weight > MOST:
            raise MCPError(
                INTERNAL_ERROR,
                f"Not ready: you wait for {self._held[who]} things already, and {MOST} is the most. "
                "Unsubscribe from some, or close a stream.",
            )
        self._held[who] += weight
        self._watches += new
        self._wake()
        if new and not self._working:
            self._working = True
            self._group.start_soon(self._work)
        over = False

        def release() -> None:
            nonlocal over
            if not over:
                over = True
                self._held[who] -= weight
                if not self._held[who]:
                    del self._held[who]
                self._drop(new)

        return release

    def soon(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell somebody without waiting for them."""
        self._group.start_soon(_told, tell)

    @property
    def idle(self) -> bool:
        """Whether nobody waits, and nothing is done for them."""
        return not (self._watches or self._held or self._working)

    async def first_look(self, watch: Watch) -> None:
        """Read what is to be watched, so that what changes from now on shows.

        Raises:
            DatabitsError: when there is no such thing, or the caller may not read it.
        """
        watch.seen = await _in_thread(lambda: watch.look({}))

    def _drop(self, watches: Iterable[Watch]) -> None:
        gone = set(map(id, watches))
        self._watches = [w for w in self._watches if id(w) not in gone]
        self._wake()

    def _wake(self) -> None:
        self._woken.set()
        self._woken = anyio.Event()

    async def _work(self) -> None:
        last = ""
        try:
            while self._watches:
                began = time.monotonic()
                last = await self._round(last)
                took = time.monotonic() - began
                pace = min((w.pace_s for w in self._watches), default=0.0)
                with anyio.move_on_after(max(pace, SHARE * took)):
                    await self._woken.wait()
        finally:
            self._working = False

    async def _round(self, last: str) -> str:
        """Look at what may be another one; returns the pulse by which it was."""
        try:
            pulse = await _in_thread(self._runner.pulse)
        except Exception as error:  # another process has the workspace, or the database is away
            self._failing = self._failed(error, self._failing)
            return last
        self._failing = False
        known: Known = {}
        for watch in list(self._watches):
            if pulse != last or not watch.checked:
                await self._look(watch, known)
        return pulse

    async def _look(self, watch: Watch, known: Known) -> None:
        watch.checked = False
        try:
            found = await _in_thread(lambda: watch.look(known))
        except NotAllowed:
            self._drop([watch])
            return
        except NotFound:
            found = GONE
        except Exception as error:
            watch.failing = self._failed(error, watch.failing)
            return
        watch.checked, watch.failing = True, False
        if found == watch.seen:
            return
        watch.seen = found
        if not await _told(watch.tell):
            self._drop([watch])  # its client reads nothing any more, and others wait

    @staticmethod
    def _failed(error: Exception, before: bool) -> bool:
        """It is tried again; the log hears of a series of failures once."""
        if not before and not isinstance(error, DatabitsError):
            log.error("looking for changes failed", exc_info=error)
        return True


async def _told(tell: Callable[[], Awaitable[None]]) -> bool:
    """Whether somebody could be told, in time; whatever is wrong with their line is not the others'."""
    with anyio.move_on_after(TELL_WITHIN_S):
        try:
            await tell()
        except Exception:
            log.warning("a client could not be told of a change", exc_info=True)
            return False
        return True
    return False


async def _in_thread(fn: Callable[[], T]) -> T:
    # Left behind when the server stops: a read by another process may hang.
    return await anyio.to_thread.run_sync(fn, abandon_on_cancel=True)


@asynccontextmanager
async def watching(runner: Runner) -> AsyncIterator[Watcher]:
    """A watcher for as long as a server runs; its task ends with it."""
    async with anyio.create_task_group() as group:
        try:
            yield Watcher(runner, group)
        finally:
            group.cancel_scope.cancel()
