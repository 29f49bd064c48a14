"""What was imported, and the vectors made of it."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from databits.store.tables.columns import Document, Id, metadata, moment, own_id, ref

sources = Table(
    "sources",
    metadata,
    own_id(),
    Column("name", String(80), nullable=False, unique=True),
    Column("path", Text, nullable=False),
    moment(),
)
records = Table(
    "records",
    metadata,
    own_id(),
    ref("source_id", "sources", index=False),
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
