"""A worker's sign of life for the run it executes."""

import threading
from typing import Any

from databits.errors import Cancelled
from databits.store.database import Database

LEASE_US = 60_000_000  # a worker that says nothing for a minute is taken for dead


class Heartbeat:
    """Keeps a run's lease alive from a thread, and carries its progress."""

    def __init__(self, database: Database, run_id: int, worker: str) -> None:
        self._database, self._run_id, self._worker = database, run_id, worker
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=self._beat, name=f"databits-run-{run_id}", daemon=True
        )
        self._said: dict[str, Any] = {}
        self._cancelled = False

    def progress(self, done: float, message: str) -> None:
        if self._cancelled:
            raise Cancelled("The run was cancelled; nothing was changed.")
        self._said = {"progress": done, "message": message}

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(0.5):
            said = self._said
            alive = self._database.write(
                lambda store, said=said: store.runs.beat(
                    self._run_id, self._worker, LEASE_US, **said
                )  # type: ignore[misc]
            )
            if not alive:
                self._cancelled = True
