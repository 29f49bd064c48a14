"""Tools of MCP servers, by version."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, UniqueConstraint

from databits.store.tables.columns import Document, metadata, moment, own_id

tool_versions = Table(
    "tool_versions",
    metadata,
    own_id(),
    Column("server", String(80), nullable=False),
    Column("name", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    # Of the definition as canonical JSON: another hash is another version.
    Column("sha256", String(64), nullable=False),
    Column("definition", Document, nullable=False),
    moment(),
    Column("gone_at", BigInteger),
    UniqueConstraint("server", "name", "version"),
)
