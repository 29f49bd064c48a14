"""Databits, the items in their queues, and every suggestion and decision."""

from sqlalchemy import BigInteger, Column, Float, Index, String, Table, Text, UniqueConstraint, text

from databits.store.tables.columns import Document, Id, metadata, moment, only, own_id, ref

databits = Table(
    "databits",
    metadata,
    own_id(),
    Column("name", String(80), nullable=False, unique=True),
    moment(),
)
databit_versions = Table(
    "databit_versions",
    metadata,
    own_id(),
    ref("databit_id", "databits", index=False),
    Column("version", String(20), nullable=False),
    Column("status", String(12), nullable=False),
    Column("body", Document, nullable=False),
    Column("created_by", String(120), nullable=False),
    moment(),
    UniqueConstraint("databit_id", "version"),
)
items = Table(
    "items",
    metadata,
    own_id(),
    ref("databit_id", "databits", index=False),
    ref("record_id", "records"),
    Column("state", String(12), nullable=False),
    Column("label", String(80)),
    Column("suggestion", String(80)),
    Column("confidence", Float),
    Column("suggestion_id", Id),
    Column("priority", Float, nullable=False),
    Column("why", Text),
    ref("feedback_id", "feedback", index=False, nullable=True),
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
        **only("state = 'open' AND held_by IS NULL"),
    ),
    Index("ix_items_came_back", "feedback_id", **only("feedback_id IS NOT NULL")),
    Index("ix_items_held", "held_by", **only("held_by IS NOT NULL")),
    Index("ix_items_held_until", "held_until", **only("held_by IS NOT NULL")),
)
suggestions = Table(
    "suggestions",
    metadata,
    own_id(),
    ref("item_id", "items"),
    Column("label", String(80), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("rationale", Text, nullable=False),
    Column("engine", String(120), nullable=False),
    Column("run_id", Id, nullable=True),
    moment(),
)
labels = Table(
    "labels",
    metadata,
    own_id(),
    ref("item_id", "items"),
    Column("kind", String(12), nullable=False),
    Column("label", String(80)),
    Column("reason", Text, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("surface", String(12), nullable=False),
    moment(),
)
