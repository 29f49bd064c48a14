"""How many workers a workspace has on this machine: numbered file locks, which any death frees."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def slot(home: Path, count: int, patience: float = 0.0) -> Iterator[bool]:
    """Whether this thread is one of the workspace's `count` workers here.

    `patience`: seconds to go on trying, because those who only look hold a lock for an instant.
    """
    home.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience
    while True:
        for number in range(count):
            with (home / f"worker-{number}.lock").open("a", encoding="ascii") as handle:
                if _locked(handle.fileno()):
                    yield True
                    return
        if time.monotonic() >= until:
            break
        time.sleep(0.05)
    yield False


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def held(home: Path, count: int) -> int:
    """How many of the slots have a worker."""
    found = 0
    for number in range(count):
        path = home / f"worker-{number}.lock"
        if path.exists():
            with path.open("rb") as handle:
                found += not _locked(handle.fileno())
    return found
