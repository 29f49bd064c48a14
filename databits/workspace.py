"""The workspace of the settings, wherever it is open: here, or in another process of this machine.

Whoever calls first opens a SQLite workspace and owns it. Those who come later hand their calls over
to the owner if it lives on, and wait a moment for it if it is a command. When the owner ends, the
next call opens the workspace anew. An owner that only serves an IDE makes way for the page.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Condition
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from pydantic import BaseModel

from databits.actor import Actor
from databits.errors import Conflict
from databits.model import NameKind, Names, Plan
from databits.owner import PATIENCE, Ownership, database_file
from databits.ports import Asked
from databits.remote import Gone, Remote, Server, fingerprint, serving
from databits.settings import Settings

if TYPE_CHECKING:
    from databits.local_api import LocalServer
    from databits.workbench import Workbench

T = TypeVar("T")
_BUSY = 20.0  # seconds to wait for calls that go on
_STEP_BACK = 2.0  # seconds in which the one that asked for the workspace comes first


class Workspace:
    """A `Runner` that finds out with each call where the workspace is open.

    Args:
        stays: This process lives on. It answers other processes' calls while it owns the workspace,
            and hands it over when the page starts.
    """

    def __init__(self, settings: Settings, *, stays: bool = False) -> None:
        self._settings = settings
        self._stays = stays
        self._here: Workbench | None = None
        self._ownership = Ownership(settings.url)
        self._remote: Remote | None = None
        self._server: LocalServer | None = None
        self._calls = 0
        self._changed = Condition()
        self._not_before = 0.0
        self._gone: Server | None = None

    def run(
        self, name: str, arguments: Mapping[str, Any], actor: Actor, **asked: Unpack[Asked]
    ) -> BaseModel:
        return self._call(lambda it: it.run(name, arguments, actor, **asked))

    def propose(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> Plan:
        return self._call(lambda it: it.propose(name, arguments, actor))

    def pulse(self) -> str:
        return self._call(lambda it: it.pulse())

    def names(self, kind: NameKind, typed: str, actor: Actor, of: str = "") -> Names:
        return self._call(lambda it: it.names(kind, typed, actor, of))

    def carry_out(self, plan_id: int) -> BaseModel:
        return self._call(lambda it: it.carry_out(plan_id))

    def close(self) -> None:
        """Let go of the workspace once the calls that go on have ended.

        Raises:
            Conflict: when one goes on for too long; the workspace stays open then.
        """
        with self._changed:
            here, self._here = self._here, None
            if not self._changed.wait_for(lambda: not self._calls, timeout=_BUSY):
                self._here = here
                raise Conflict(
                    "The process that has this workspace open is busy with a long call. Try again when it is done."
                )
            server, self._server = self._server, None
        if server is not None:
            server.stop()
        if here is not None:
            here.close()
        self._ownership.release()

    def hand_over(self) -> None:
        """Let go for another process, which comes before this one's next call.

        Raises:
            Conflict: when a call goes on for too long.
        """
        self._not_before = time.monotonic() + _STEP_BACK
        self.close()

    def answer(
        self,
        verb: str,
        body: dict[str, Any],
        progress: Callable[[float, str], None] | None = None,
    ) -> dict[str, Any]:
        """Perform a call of another process.

        Raises:
            Gone: when the workspace is not open here any more.
        """
        from databits.local_api import answer  # not for commands, which answer nobody

        with self._changed:
            here = self._here
            if here is None:
                raise Gone("The workspace was handed over. Call once more.")
            self._calls += 1
        with self._counted():
            return answer(here, verb, body, progress)

    def _call(self, fn: "Callable[[Workbench | Remote], T]") -> T:
        until = time.monotonic() + PATIENCE + _STEP_BACK
        while True:
            with self._open(until) as runner:
                try:
                    return fn(runner)
                except Gone:
                    if isinstance(runner, Remote):
                        self._gone, self._remote = runner.server, None
                    if time.monotonic() >= until:
                        raise

    @contextlib.contextmanager
    def _open(self, until: float) -> "Iterator[Workbench | Remote]":
        """The workspace for one call, which keeps it from being handed over meanwhile."""
        with self._changed:
            if self._here is None and self._remote is None:
                self._find(until)
            here, remote = self._here, self._remote
            self._calls += here is not None
        if here is not None:
            with self._counted():
                yield here
        elif remote is not None:
            yield remote

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """A call that was counted, until its end."""
        try:
            yield
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def _find(self, until: float) -> None:
        """Open the workspace, unless it turns up in another process.

        Raises:
            Conflict: when a process has it open that answers nobody.
        """
        while True:
            server = serving(self._settings.home, fingerprint(self._settings))
            if server is not None and server != self._gone:
                self._remote = Remote(server)
                return
            try:
                if time.monotonic() >= self._not_before:
                    self._ownership.take(patience=0)
                    break
            except Conflict:
                if time.monotonic() >= until:
                    raise
            time.sleep(0.05)
        self._open_here()

    def _open_here(self) -> None:
        """Others find this process before the workspace is open, and wait: on a cold disk it takes seconds."""
        server: LocalServer | None = None
        try:
            server = self._answers()
            # With the first call: whoever only lists the tools needs neither a database nor its library.
            from databits.workbench import connect

            here = connect(self._settings)
            if self._stays:
                here.jobs.wake()  # an earlier process may have left runs
        except BaseException:
            if server is not None:
                server.stop()
            self._ownership.release()
            raise
        self._here, self._server = here, server

    def _answers(self) -> "LocalServer | None":
        """The way in for others, if this process is to answer any."""
        if not self._stays or database_file(self._settings.url) is None:
            return None
        from databits.local_api import LocalServer

        self._settings.home.mkdir(parents=True, exist_ok=True)
        return LocalServer(self._settings, self)


def make_way(settings: Settings) -> Ownership:
    """The right to the workspace, for the page; a process that serves an IDE hands it over.

    Raises:
        Conflict: when a process has it that does not.
    """
    server = serving(settings.home, fingerprint(settings))
    if server is not None and server.yields:
        with contextlib.suppress(Gone):
            Remote(server).hand_over()
    ownership = Ownership(settings.url)
    ownership.take()
    return ownership
