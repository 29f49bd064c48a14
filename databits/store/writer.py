"""The one thread of a process that writes, a group of writes at a time.

A group runs in one transaction. What it will look at is read when it begins and what it writes is
written when it ends, both for all of it at once. When one write fails after it has written, or when
what is done at once fails, the group is taken back and run once more, each write in a savepoint of
its own: a failing write takes only itself back.
"""

import contextlib
import gc
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from databits.errors import Unavailable
from databits.store import Store
from databits.store.foresight import Foresight
from databits.store.ledger import Ends, Ids, Ledger
from databits.store.shapes import Foreseen, now

T = TypeVar("T")
_GROUP = 256  # writes a commit at most
_PAUSE = 0.0002  # seconds
_PAUSES = 5  # of them at most, for those who come again
_ID_BLOCK = 1000  # ids taken at once


@cache
def _collect_less_often() -> None:
    """Have the garbage collector of this process look at what could be garbage, and later.

    What was imported stays for good, and what a group of writes makes lives until its end: looking
    for cycles among it every 700 objects took a tenth of the time of a write.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class Answer(Generic[T]):
    """What becomes of a write; one thread gives it, another waits for it.

    As `concurrent.futures.Future`, for a tenth of what that costs a write. Those who were answered
    together wake each other up, one after the other: woken all at once, they would mostly wait for
    the interpreter's lock.
    """

    __slots__ = ("_error", "_given", "_next", "_result", "_woken", "done")

    def __init__(self) -> None:
        self._given = threading.Lock()
        self._given.acquire()
        self._error: BaseException | None = None
        self._result: Any = None
        self._next: Answer[Any] | None = None
        self._woken = False
        self.done = False

    def wait(self) -> T:
        """The result, or raises what went wrong."""
        self._given.acquire()
        if self._next is not None:
            self._next.wake()
        if self._error is not None:
            raise self._error
        result: T = self._result
        return result

    def give(self, result: T) -> None:
        self._result, self.done = result, True

    def refuse(self, error: BaseException) -> None:
        self._error, self.done = error, True

    def before(self, other: "Answer[Any]") -> None:
        """Whoever waits for this one wakes who waits for the other."""
        self._next = other

    def wake(self) -> None:
        """Let go whoever waits, if the answer is there; again does nothing."""
        if self.done and not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # two threads at once: the other one did it
                self._given.release()


class Write(NamedTuple):
    """What somebody waits for."""

    fn: Callable[[Store], Any]
    foreseen: Foreseen | None
    answer: Answer[Any]


class Writer:
    """The one thread that writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._ids = Ids(block=_ID_BLOCK)
        self._known: dict[Any, Any] = {}
        """What is recalled, from group to group: see `Ledger.begin`."""
        self._ends: Ends | None = None
        """Where the logs ended after the last group; None when that one failed."""
        self._others = False
        """Another process has written since the last group."""
        _collect_less_often()
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._closed = False
        self._awaited = 0
        self._here = threading.Event()
        """So many writes as are awaited are waiting."""
        self._thread = threading.Thread(target=self._loop, name="databits-writer", daemon=True)
        self._thread.start()

    def run(self, fn: Callable[[Store], T], foreseen: Foreseen | None) -> T:
        if threading.current_thread() is self._thread:
            raise RuntimeError("a write inside a write: pass the store on instead")
        answer: Answer[T] = Answer()
        with self._door:  # nobody comes in after the end, and waits for good
            if self._closed:
                raise Unavailable("The workspace is closed here; nothing was written.")
            self._queue.put(Write(fn, foreseen, answer))
            if self._awaited and self._queue.qsize() >= self._awaited:
                self._awaited = 0
                self._here.set()
        return answer.wait()

    def stop(self) -> None:
        with self._door:
            self._closed = True
            self._queue.put(None)
        self._thread.join(timeout=30)

    def _loop(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            self._join(group)
            if not self._together(group):
                self._apart(group)
            if len(group) > 1:
                self._gather(len(group))
                for write in group:  # who should have woken the next may have been interrupted
                    write.answer.wake()

    def _join(self, group: list[Write]) -> None:
        """Add those who wait by now."""
        with contextlib.suppress(queue.Empty):
            while len(group) < _GROUP:
                following = self._queue.get_nowait()
                if following is None:
                    self._queue.put(None)  # finish this group, then stop
                    break
                group.append(following)

    def _gather(self, answered: int) -> None:
        """Give those who were answered together a moment to ask together again.

        A group costs nearly the same for many as for one: its commit waits for the disk once. It is
        waited for no longer than somebody new comes in each pause.
        """
        self._here.clear()
        # With those who came meanwhile: else these and those would go on by turns, in halves.
        awaited = min(self._queue.qsize() + answered, _GROUP)
        self._awaited, seen = awaited, -1
        for _ in range(_PAUSES):
            waiting = self._queue.qsize()
            if waiting >= awaited or waiting == seen or self._here.wait(_PAUSE):
                break
            seen = waiting
        self._awaited = 0

    @contextlib.contextmanager
    def _begin(self, group: list[Write]) -> Iterator[tuple[Connection, Ledger]]:
        """Begin to write, for a group that may still grow; ends when what it wrote is committed."""
        ends, self._ends = self._ends, None
        if ends is None or self._others:
            self._known.clear()
        with self._engine.begin() as db:
            ledger = Ledger(db, self._ids, known=self._known)
            wait = self._others and not self._sqlite
            if wait:  # until they are done, and meanwhile more come
                ledger.lock()
                self._join(group)
            foreseen = [write.foreseen for write in group if write.foreseen]
            foresight = Foresight(ledger, foreseen, now())
            with _apart_if_it_fails(foreseen):  # somebody's argument may be what it fails on
                alone = self._sqlite or wait
                foresight.learn(ledger.begin(not alone, foresight.questions(), ends))
            if ends is not None and ledger.begun is not None:
                self._others = ledger.begun != ends
            yield db, ledger
            with _apart_if_it_fails(ledger.pending):
                ledger.flush()
        self._ends = ledger.ends

    def _together(self, group: list[Write]) -> bool:
        """Run a group as one; False when nothing of it stays and it has to be run apart."""
        done: list[tuple[Answer[Any], Any]] = []
        refused: list[tuple[Answer[Any], BaseException]] = []
        try:
            with self._begin(group) as (db, ledger):
                for fn, _, answer in group:
                    store = Store(db, ledger)
                    try:
                        done.append((answer, fn(store)))
                    # All there is: were this thread to end, everybody would wait for good.
                    except BaseException as error:
                        if store.tx.wrote or isinstance(error, DBAPIError):
                            raise _Undo(answer, error) from None
                        refused.append((answer, error))
        except _Undo as undo:
            self._ids.forget()
            if len(group) > 1:
                return False
            _tell([], [(undo.answer, _told(undo.error))])
            return True
        except _Apart:
            self._ids.forget()
            return False
        except BaseException as error:  # the transaction as a whole: nobody was written
            self._ids.forget()
            refused += [(answer, _told(error)) for *_, answer in group if not answer.done]
            done = []
        _tell(done, refused)
        return True

    def _apart(self, group: list[Write]) -> None:
        """Run a group in one transaction, each write in a savepoint."""
        done: list[tuple[Answer[Any], Any]] = []
        refused: list[tuple[Answer[Any], BaseException]] = []
        waiting = iter(group)
        begun = False
        try:
            with self._begin([]) as (db, ledger):
                begun = True
                for fn, _, answer in waiting:
                    try:
                        with db.begin_nested():
                            result = fn(Store(db, ledger))
                            ledger.flush()
                    except BaseException as error:
                        ledger.forget()
                        refused.append((answer, _told(error)))
                        if self._sqlite and not _in_transaction(db):
                            raise
                    else:
                        done.append((answer, result))
        except BaseException as error:  # the transaction as a whole: nobody so far was written
            self._ids.forget()
            refused += [(answer, _told(error)) for answer, _ in done]
            if not begun:  # nor would anybody else be
                refused += [(answer, _told(error)) for *_, answer in waiting]
            done = []
        _tell(done, refused)
        if rest := list(waiting):
            self._apart(rest)


class _Undo(Exception):
    """A write failed that has to be taken back."""

    def __init__(self, answer: Answer[Any], error: BaseException) -> None:
        super().__init__()
        self.answer, self.error = answer, error


class _Apart(Exception):
    """What was done for a group at once failed: whose fault it is shows when they run apart."""


@contextlib.contextmanager
def _apart_if_it_fails(shared: object) -> Iterator[None]:
    """Args:
    shared: Empty when nothing of it is anybody's in particular.
    """
    try:
        yield
    except BaseException as error:
        if not shared:
            raise
        raise _Apart from error


def _tell(
    done: list[tuple[Answer[Any], Any]], refused: list[tuple[Answer[Any], BaseException]]
) -> None:
    for answer, result in done:
        answer.give(result)
    told = [answer for answer, _ in done]
    for answer, error in refused:
        if not answer.done:
            answer.refuse(error)
            told.append(answer)
    for answer, following in pairwise(told):
        answer.before(following)
    if told:
        told[0].wake()


def _in_transaction(db: Connection) -> bool:
    """Whether SQLite still has the transaction open: a full disk makes it take all of it back."""
    driver = db.connection.driver_connection
    return isinstance(driver, sqlite3.Connection) and driver.in_transaction


def _told(error: BaseException) -> BaseException:
    """A full disk in words for whoever called; anything else as it is."""
    if isinstance(error, OperationalError) and "disk is full" in str(error.orig):
        return Unavailable(
            "The disk is full; nothing was written. Free some space, then call once more."
        )
    return error
