"""By what name a client goes on following a run."""

import hashlib
from typing import Any

from databits.model import Run
from mcp_server.tasks import TASK


def id_of(run: Run) -> str:
    """The id of a run's task: its number, and what nobody can guess who does not know the run."""
    known = f"{run.id} {run.actor} {run.operation} {run.created_at.timestamp():.6f}"
    return f"{run.id}-{hashlib.sha256(known.encode()).hexdigest()[:16]}"


def leaves(run: Run | None) -> dict[str, Any] | None:
    """The `_meta` of a tool's result after which this run goes on."""
    return None if run is None else {TASK: id_of(run)}
