"""The schema, in the part of SQL that SQLite and PostgreSQL share.

Ids are small integers handed out by `counters`: short to say in a chat, and known before the
insert. Times are microseconds since the epoch, UTC. `DERIVED` tables can be computed again and
`LOGS` record what happened; neither is part of what a change changes.
"""

from databits.store.tables.accounts import grants, passwords, people, policies, tokens
from databits.store.tables.columns import metadata
from databits.store.tables.content import records, sources, vectors
from databits.store.tables.history import audit, change_rows, changes, counters
from databits.store.tables.labelling import databit_versions, databits, items, labels, suggestions
from databits.store.tables.production import (
    dataset_rows,
    datasets,
    endpoints,
    evaluations,
    feedback,
    models,
    requests,
    routes,
)
from databits.store.tables.tools import tool_versions
from databits.store.tables.work import plans, run_log, runs

__all__ = [
    "CHANGED",
    "DERIVED",
    "LOGS",
    "audit",
    "change_rows",
    "changes",
    "counters",
    "databit_versions",
    "databits",
    "dataset_rows",
    "datasets",
    "endpoints",
    "evaluations",
    "feedback",
    "grants",
    "items",
    "labels",
    "metadata",
    "models",
    "passwords",
    "people",
    "plans",
    "policies",
    "records",
    "requests",
    "routes",
    "run_log",
    "runs",
    "sources",
    "suggestions",
    "tokens",
    "tool_versions",
    "vectors",
]

DERIVED = frozenset({"vectors"})
# Secrets are among them: an undo must not bring an old password or a revoked token back.
LOGS = frozenset(
    {
        "counters",
        "changes",
        "change_rows",
        "plans",
        "runs",
        "run_log",
        "audit",
        "requests",
        "passwords",
        "tokens",
    }
)
CHANGED = tuple(t for t in metadata.sorted_tables if t.name not in DERIVED | LOGS)
"""The tables that changes change, parents first: what `undo_change` restores."""
