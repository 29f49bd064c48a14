"""The schema, in the part of SQL that SQLite and PostgreSQL share.

Ids are small integers handed out by `counters`: short to say in a chat, and known before the
insert. Times are microseconds since the epoch, UTC. `DERIVED` tables can be computed again and
`LOGS` record what happened; neither is part of what a change changes.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
# A rowid alias on SQLite needs the very type INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=False)


def _ref(name: str, target: str, *, index: bool = True, nullable: bool = False) -> Column[Any]:
    return Column(name, Id, ForeignKey(f"{target}.id"), index=index, nullable=nullable)


def _at(name: str = "created_at", *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


counters = Table(
    "counters",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("last", Id, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    _id(),
    Column("name", String(80), nullable=False, unique=True),
    Column("path", Text, nullable=False),
    _at(),
)
records = Table(
    "records",
    metadata,
    _id(),
    _ref("source_id", "sources", index=False),
    Column("position", Integer, nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("text", Text, nullable=False),
    Column("fields", Document, nullable=False),
    Column("origin", Document, nullable=False),
    Index("ix_records_source_id_id", "source_id", "id"),
)
vectors = Table(
    "vectors",
    metadata,
    Column("record_id", Id, ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    Column("model", String(80), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
databits = Table(
    "databits", metadata, _id(), Column("name", String(80), nullable=False, unique=True), _at()
)
databit_versions = Table(
    "databit_versions",
    metadata,
    _id(),
    _ref("databit_id", "databits", index=False),
    Column("version", String(20), nullable=False),
    Column("status", String(12), nullable=False),
    Column("body", Document, nullable=False),
    Column("created_by", String(120), nullable=False),
    _at(),
    UniqueConstraint("databit_id", "version"),
)
items = Table(
    "items",
    metadata,
    _id(),
    _ref("databit_id", "databits", index=False),
    _ref("record_id", "records"),
    Column("state", String(12), nullable=False),
    Column("label", String(80)),
    Column("suggestion", String(80)),
    Column("confidence", Float),
    Column("suggestion_id", Id),
    Column("priority", Float, nullable=False),
    Column("why", Text),
    _ref("feedback_id", "feedback", nullable=True),
    Column("held_by", String(120)),
    Column("held_until", BigInteger),
    Column("decided_by", String(120)),
    Column("decided_at", BigInteger),
    UniqueConstraint("databit_id", "record_id"),
    Index("ix_items_databit_id_id", "databit_id", "id"),
    Index("ix_items_state", "databit_id", "state", "id"),
    # The next item is the first of this index, however many are claimed.
    Index(
        "ix_items_free",
        "databit_id",
        text("priority DESC"),
        "id",
        sqlite_where=text("state = 'open' AND held_by IS NULL"),
        postgresql_where=text("state = 'open' AND held_by IS NULL"),
    ),
    Index(
        "ix_items_held",
        "held_by",
        sqlite_where=text("held_by IS NOT NULL"),
        postgresql_where=text("held_by IS NOT NULL"),
    ),
    Index(
        "ix_items_held_until",
        "held_until",
        sqlite_where=text("held_by IS NOT NULL"),
        postgresql_where=text("held_by IS NOT NULL"),
    ),
)
suggestions = Table(
    "suggestions",
    metadata,
    _id(),
    _ref("item_id", "items"),
    Column("label", String(80), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("rationale", Text, nullable=False),
    Column("engine", String(120), nullable=False),
    Column("run_id", Id, nullable=True),
    _at(),
)
labels = Table(
    "labels",
    metadata,
    _id(),
    _ref("item_id", "items"),
    Column("kind", String(12), nullable=False),
    Column("label", String(80)),
    Column("reason", Text, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("surface", String(12), nullable=False),
    _at(),
)
datasets = Table(
    "datasets",
    metadata,
    _id(),
    _ref("databit_id", "databits", index=False),
    _ref("databit_version_id", "databit_versions", index=False),
    Column("number", Integer, nullable=False),
    Column("recipe", Document, nullable=False),
    Column("summary", Document, nullable=False),
    Column("sha256", String(64), nullable=False),
    _at(),
    UniqueConstraint("databit_id", "number"),
)
dataset_rows = Table(
    "dataset_rows",
    metadata,
    _id(),
    _ref("dataset_id", "datasets", index=False),
    _ref("item_id", "items"),
    Column("label", String(80), nullable=False),
    Column("split", String(12), nullable=False),
    UniqueConstraint("dataset_id", "item_id"),
)
models = Table(
    "models",
    metadata,
    _id(),
    Column("name", String(80), nullable=False),
    Column("version", Integer, nullable=False),
    _ref("dataset_id", "datasets"),
    Column("strategy", String(40), nullable=False),
    Column("labels", Document, nullable=False),
    Column("uri", Text, nullable=False),
    Column("mlflow_run", String(64), nullable=False),
    Column("run_id", Id, nullable=True),
    _at(),
    UniqueConstraint("name", "version"),
)
evaluations = Table(
    "evaluations",
    metadata,
    _id(),
    _ref("model_id", "models"),
    _ref("dataset_id", "datasets", index=False),
    Column("split", String(12), nullable=False),
    Column("result", Document, nullable=False),
    _at(),
)
endpoints = Table(
    "endpoints",
    metadata,
    _id(),
    Column("name", String(80), nullable=False, unique=True),
    Column("status", String(12), nullable=False),
    _at(),
)
routes = Table(
    "routes",
    metadata,
    _id(),
    _ref("endpoint_id", "endpoints"),
    _ref("model_id", "models"),
    Column("share", Integer, nullable=False),
    _at(),
    Column("retired_at", BigInteger),
)
requests = Table(
    "requests",
    metadata,
    _id(),
    _ref("endpoint_id", "endpoints", index=False),
    _ref("model_id", "models"),
    Column("request_id", String(40), nullable=False, unique=True),
    Column("text", Text, nullable=False),
    Column("answer", String(80)),
    Column("confidence", Float),
    Column("latency_us", BigInteger, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("actor", String(120), nullable=False),
    _at(),
    Index("ix_requests_window", "endpoint_id", "created_at"),
    Index("ix_requests_page", "endpoint_id", "id"),
)
feedback = Table(
    "feedback",
    metadata,
    _id(),
    _ref("request_id", "requests"),
    Column("score", Integer, nullable=False),
    Column("correction", String(80)),
    Column("comment", Text, nullable=False),
    Column("actor", String(120), nullable=False),
    _at(),
)

changes = Table(
    "changes",
    metadata,
    _id(),
    Column("operation", String(80), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("surface", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("undo_of", Id),
    Column("run_id", Id),
    _at("at"),
    Index("ix_changes_actor_id", "actor", "id"),
    Index("ix_changes_operation_id", "operation", "id"),
)
change_rows = Table(
    "change_rows",
    metadata,
    _id(),
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
    Index(
        "ix_change_rows_range",
        "table_name",
        "row_id",
        sqlite_where=text("last_id IS NOT NULL"),
        postgresql_where=text("last_id IS NOT NULL"),
    ),
)
plans = Table(
    "plans",
    metadata,
    _id(),
    Column("operation", String(80), nullable=False),
    Column("arguments", Document, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("preview", Document, nullable=False),
    Column("state", String(12), nullable=False),
    Column("asked_by", String(120), nullable=False),
    Column("actor", Document, nullable=False),
    Column("decided_by", String(120)),
    Column("reason", Text),
    _at(),
    _at("expires_at"),
)
runs = Table(
    "runs",
    metadata,
    _id(),
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
    _at(),
    Column("finished_at", BigInteger),
    Index("uq_runs_key", "key", unique=True),
)
run_log = Table(
    "run_log",
    metadata,
    _id(),
    _ref("run_id", "runs"),
    Column("message", Text, nullable=False),
    _at("at"),
)
people = Table(
    "people",
    metadata,
    _id(),
    Column("name", String(120), nullable=False, unique=True),
    Column("disabled", Integer, nullable=False),
    _at(),
)
grants = Table(
    "grants",
    metadata,
    _id(),
    Column("person", String(120), nullable=False),
    Column("role", String(12), nullable=False),
    _ref("databit_id", "databits", nullable=True),  # none: in the whole workspace
    _at(),
    UniqueConstraint("person", "databit_id"),
)
policies = Table(
    "policies",
    metadata,
    _id(),
    Column("kind", String(20), nullable=False),
    Column("subject", String(80), nullable=False),
    _at(),
    UniqueConstraint("kind", "subject"),
)
passwords = Table(
    "passwords",
    metadata,
    _id(),
    Column("person", String(120), nullable=False, unique=True),
    Column("hash", Text, nullable=False),
    _at(),
)
tokens = Table(
    "tokens",
    metadata,
    _id(),
    Column("name", String(80), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("person", String(120), nullable=False),
    Column("role", String(12), nullable=False),
    Column("toolsets", Document),
    Column("created_by", String(120), nullable=False),
    _at(),
    _at("expires_at"),
    Column("revoked_at", BigInteger),
    Column("used_at", BigInteger),
)
tool_versions = Table(
    "tool_versions",
    metadata,
    _id(),
    Column("server", String(80), nullable=False),
    Column("name", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    # Of the definition as canonical JSON: another hash is another version.
    Column("sha256", String(64), nullable=False),
    Column("definition", Document, nullable=False),
    _at(),
    Column("gone_at", BigInteger),
    UniqueConstraint("server", "name", "version"),
)
audit = Table(
    "audit",
    metadata,
    _id(),
    _at("at"),
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
    Index("ix_audit_actor_id", "actor", "id"),
    Index(
        "ix_audit_change_id",
        "change_id",
        sqlite_where=text("change_id IS NOT NULL"),
        postgresql_where=text("change_id IS NOT NULL"),
    ),
    # The few that did not go well, among all the others.
    Index(
        "ix_audit_outcome",
        "outcome",
        "id",
        sqlite_where=text("outcome <> 'ok'"),
        postgresql_where=text("outcome <> 'ok'"),
    ),
    Index(
        "ix_audit_trace_id",
        "trace_id",
        "id",
        sqlite_where=text("trace_id IS NOT NULL"),
        postgresql_where=text("trace_id IS NOT NULL"),
    ),
)

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
