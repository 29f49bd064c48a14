"""Who has a SQLite workspace open: one process that takes calls, and beside it only its workers.

The owner holds a lock of the operating system on `workbench.db.owner`, which any death of the process frees,
and whose text says who it is. Workers execute runs and take no calls, so they need no lock: SQLite
itself keeps their commits apart. PostgreSQL is made for many processes; there is nothing to own.
"""

import contextlib
import fcntl
import json
import os
import sys
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import TextIO

from databits.errors import Conflict

PATIENCE = 5.0
"""Seconds to wait for a process that is about to end, as commands are."""

_guard = threading.Lock()
_locks: dict[Path, "_Lock"] = {}


class _Lock:
    """This process's lock on one workspace, shared by all who have it open here."""

    def __init__(self, handle: TextIO) -> None:
        self.handle = handle
        self.sharers = 1


def database_file(url: str) -> Path | None:
    """The SQLite file that a URL means; None for memory and for servers."""
    from sqlalchemy.engine import make_url  # with the first call, not with the first list of tools

    made = make_url(url)
    if made.get_backend_name() != "sqlite" or made.database in (None, "", ":memory:"):
        return None
    return Path(str(made.database)).resolve()


class Ownership:
    """One user's share in the right to a workspace; taken with the first call, let go at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._mine = False

    @cached_property
    def _path(self) -> Path | None:
        """The file that is locked."""
        file = database_file(self._url)
        return file.with_name(f"{file.name}.owner") if file is not None else None

    def take(self, patience: float = PATIENCE) -> None:
        """Become, or stay, an owner.

        Raises:
            Conflict: when another process has the workspace open for longer than `patience` seconds.
        """
        if self._mine or self._path is None:
            return
        until = time.monotonic() + patience
        while not self._try():
            if time.monotonic() >= until:
                raise Conflict(
                    f"This workspace is open in another process: {_who(self._path)}. Close that one, or wait for it "
                    "to end, and try again. Many processes at once take PostgreSQL: set DATABITS_DATABASE_URL."
                )
            time.sleep(0.05)

    def release(self) -> None:
        """Let go; the process lets go with the last who shares the workspace in it."""
        with _guard:
            if not self._mine or self._path is None:
                return
            self._mine = False
            lock = _locks[self._path]
            lock.sharers -= 1
            if not lock.sharers:
                del _locks[self._path]
                lock.handle.truncate(0)
                lock.handle.close()

    def _try(self) -> bool:
        assert self._path is not None
        with _guard:
            if self._mine:
                return True
            lock = _locks.get(self._path)
            if lock is not None:
                lock.sharers += 1
            elif (handle := _locked(self._path)) is not None:
                _locks[self._path] = _Lock(handle)
            else:
                return False
            self._mine = True
            return True


def _locked(path: Path) -> TextIO | None:
    """The open file, locked and with this process's name in it; None when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    handle.truncate(0)
    json.dump({"pid": os.getpid(), "program": _program()}, handle)
    handle.flush()
    return handle


def _who(path: Path) -> str:
    """The owner as it named itself."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return f"process {int(found['pid'])} (`{found['program']}`)"
    return "one that did not leave its name"


def _program() -> str:
    """What was started: the command and its sub-command, never its arguments."""
    name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else ""
    if name == "databits" and len(sys.argv) > 1:
        return f"databits {sys.argv[1]}"
    return name if name not in ("", "-c", "-m") else "python"


def _forget() -> None:
    """A forked child owns nothing: its copies of the locks are its parent's."""
    for lock in _locks.values():
        lock.handle.close()
    _locks.clear()
    _guard.release()


os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget)
