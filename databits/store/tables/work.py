"""What waits for a person, and what workers do."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

from databits.store.tables.columns import Document, Id, metadata, moment, own_id, ref

plans = Table(
    "plans",
    metadata,
    own_id(),
    Column("operation", String(80), nullable=False),
    Column("arguments", Document, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("preview", Document, nullable=False),
    Column("state", String(12), nullable=False),
    Column("asked_by", String(120), nullable=False),
    Column("actor", Document, nullable=False),
    Column("decided_by", String(120)),
    Column("reason", Text),
    moment(),
    moment("expires_at"),
)
runs = Table(
    "runs",
    metadata,
    own_id(),
    Column("operation", String(80), nullable=False),
    Column("arguments", Document, nullable=False),
    Column("actor", Document, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("progress", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("result", Document),
    Column("error", Text),
    Column("attempts", Integer, nullable=False),
    Column("cancel", Integer, nullable=False),
    Column("worker", String(80)),
    Column("lease_until", BigInteger),
    Column("plan_id", Id),
    # What the caller named the call: the same key again is the same run.
    Column("key", String(120)),
    Column("not_before", BigInteger),
    Column("cost", Document),
    moment(),
    Column("finished_at", BigInteger),
    Index("uq_runs_key", "key", unique=True),
)
run_log = Table(
    "run_log",
    metadata,
    own_id(),
    ref("run_id", "runs"),
    Column("message", Text, nullable=False),
    moment("at"),
)
