"""What was changed, by whom and in which call."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, text

from databits.store.tables.columns import Document, Id, metadata, moment, only, own_id

BLOCK = 512
"""Rows of a log whose entries in the index by person lie together; see `databits.store.pages`."""

counters = Table(
    "counters",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("last", Id, nullable=False),
)
changes = Table(
    "changes",
    metadata,
    own_id(),
    Column("operation", String(80), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("surface", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("undo_of", Id),
    Column("run_id", Id),
    moment("at"),
    # Without indexes by person or operation: each change has its event, and the audit log has them.
)
change_rows = Table(
    "change_rows",
    metadata,
    own_id(),
    # Deferred: the images of a change are written together with its row, at its end.
    Column(
        "change_id",
        Id,
        ForeignKey("changes.id", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    Column("table_name", String(40), nullable=False),
    Column("row_id", Id, nullable=False),
    Column("kind", String(8), nullable=False),
    # Rows that were inserted together have ids in a row: one image stands for all of them.
    Column("last_id", Id),
    Column("before", Document),
    Column("after", Document),
    Index("ix_change_rows_change_id_id", "change_id", "id"),
    Index("ix_change_rows_row", "table_name", "row_id"),
    Index("ix_change_rows_range", "table_name", "row_id", **only("last_id IS NOT NULL")),
)
audit = Table(
    "audit",
    metadata,
    own_id(),
    moment("at"),
    Column("actor", String(120), nullable=False),
    Column("role", String(12), nullable=False),
    Column("surface", String(12), nullable=False),
    Column("client", String(120), nullable=False),
    Column("operation", String(80), nullable=False),
    Column("arguments_sha256", String(64), nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("detail", Text, nullable=False),
    Column("change_id", Id),
    Column("run_id", Id),
    Column("plan_id", Id),
    Column("trace_id", String(64)),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_operation_id", "operation", "id"),
    # With the id, which SQLite's indexes have anyway, PostgreSQL counts without a look at the rows.
    Index(
        "ix_audit_block",
        text(f"(id / {BLOCK})"),
        "actor",
        "operation",
        postgresql_include=["id"],
    ),
    Index("ix_audit_change_id", "change_id", **only("change_id IS NOT NULL")),
    # The few that did not go well, among all the others.
    Index("ix_audit_outcome", "outcome", "id", **only("outcome <> 'ok'")),
    Index("ix_audit_trace_id", "trace_id", "id", **only("trace_id IS NOT NULL")),
)
