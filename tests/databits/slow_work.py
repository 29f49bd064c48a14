"""An operation that takes as long as it is told, and a worker process that knows it.

Run as a script: a worker for the workspace that the environment's settings name.
"""

import logging
import time
from pathlib import Path
from typing import Annotated

from pydantic import Field

from databits.change import Work
from databits.model import Changed
from databits.operation import CATALOGUE, Operation, load_catalogue
from databits.store import Store


class Held(Changed):
    source: int


def hold(
    work: Work,
    *,
    name: Annotated[str, Field(description="Name of the source that it makes")],
    seconds: Annotated[float, Field(description="How long it takes")] = 0.0,
    silent: Annotated[bool, Field(description="Says nothing meanwhile")] = False,
    gate: Annotated[
        str, Field(description="A file; once it is there, it has taken long enough")
    ] = "",
) -> Held:
    """Hold a worker for a while, then make a source."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not (gate and Path(gate).exists()):
        time.sleep(min(left, 0.02))
        if not silent:
            work.progress(1 - max(until - time.monotonic(), 0) / seconds, f"{left:.1f} s to go")

    def write(store: Store) -> Held:
        return Held(source=store.records.add_source(name, "nowhere"))

    return work.commit(write)


hold.__module__ = "slow_work.data.hold"  # an operation's stage is the folder of its file
HOLD = Operation(hold, "viewer", "write", job=True)

if __name__ == "__main__":
    from databits.platforms.embedded.jobs import work_until_stopped
    from databits.settings import Settings
    from databits.workbench import connect

    logging.basicConfig(level=logging.INFO)
    load_catalogue()
    CATALOGUE["hold"] = HOLD
    work_until_stopped(connect(Settings()), 0.5)
