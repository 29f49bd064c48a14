"""From approved items to an endpoint, and what its requests and people say of it."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from databits.store.tables.columns import Document, Id, metadata, moment, own_id, ref

datasets = Table(
    "datasets",
    metadata,
    own_id(),
    ref("databit_id", "databits", index=False),
    ref("databit_version_id", "databit_versions", index=False),
    Column("number", Integer, nullable=False),
    Column("recipe", Document, nullable=False),
    Column("summary", Document, nullable=False),
    Column("sha256", String(64), nullable=False),
    moment(),
    UniqueConstraint("databit_id", "number"),
)
dataset_rows = Table(
    "dataset_rows",
    metadata,
    own_id(),
    ref("dataset_id", "datasets", index=False),
    ref("item_id", "items"),
    Column("label", String(80), nullable=False),
    Column("split", String(12), nullable=False),
    UniqueConstraint("dataset_id", "item_id"),
)
models = Table(
    "models",
    metadata,
    own_id(),
    Column("name", String(80), nullable=False),
    Column("version", Integer, nullable=False),
    ref("dataset_id", "datasets"),
    Column("strategy", String(40), nullable=False),
    Column("labels", Document, nullable=False),
    Column("uri", Text, nullable=False),
    Column("mlflow_run", String(64), nullable=False),
    Column("run_id", Id, nullable=True),
    moment(),
    UniqueConstraint("name", "version"),
)
evaluations = Table(
    "evaluations",
    metadata,
    own_id(),
    ref("model_id", "models"),
    ref("dataset_id", "datasets", index=False),
    Column("split", String(12), nullable=False),
    Column("result", Document, nullable=False),
    moment(),
)
endpoints = Table(
    "endpoints",
    metadata,
    own_id(),
    Column("name", String(80), nullable=False, unique=True),
    Column("status", String(12), nullable=False),
    moment(),
)
routes = Table(
    "routes",
    metadata,
    own_id(),
    ref("endpoint_id", "endpoints"),
    ref("model_id", "models"),
    Column("share", Integer, nullable=False),
    moment(),
    Column("retired_at", BigInteger),
)
requests = Table(
    "requests",
    metadata,
    own_id(),
    ref("endpoint_id", "endpoints", index=False),
    ref("model_id", "models"),
    Column("request_id", String(40), nullable=False, unique=True),
    Column("text", Text, nullable=False),
    Column("answer", String(80)),
    Column("confidence", Float),
    Column("latency_us", BigInteger, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("actor", String(120), nullable=False),
    moment(),
    Index("ix_requests_window", "endpoint_id", "created_at"),
    Index("ix_requests_page", "endpoint_id", "id"),
)
feedback = Table(
    "feedback",
    metadata,
    own_id(),
    ref("request_id", "requests"),
    Column("score", Integer, nullable=False),
    Column("correction", String(80)),
    Column("comment", Text, nullable=False),
    Column("actor", String(120), nullable=False),
    moment(),
)
