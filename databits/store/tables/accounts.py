"""Who may come in, and who may do what."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, UniqueConstraint

from databits.store.tables.columns import Document, metadata, moment, own_id, ref

people = Table(
    "people",
    metadata,
    own_id(),
    Column("name", String(120), nullable=False, unique=True),
    Column("disabled", Integer, nullable=False),
    moment(),
)
grants = Table(
    "grants",
    metadata,
    own_id(),
    Column("person", String(120), nullable=False),
    Column("role", String(12), nullable=False),
    ref("databit_id", "databits", nullable=True),  # none: in the whole workspace
    moment(),
    UniqueConstraint("person", "databit_id"),
)
policies = Table(
    "policies",
    metadata,
    own_id(),
    Column("kind", String(20), nullable=False),
    Column("subject", String(80), nullable=False),
    moment(),
    UniqueConstraint("kind", "subject"),
)
passwords = Table(
    "passwords",
    metadata,
    own_id(),
    Column("person", String(120), nullable=False, unique=True),
    Column("hash", Text, nullable=False),
    moment(),
)
tokens = Table(
    "tokens",
    metadata,
    own_id(),
    Column("name", String(80), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("person", String(120), nullable=False),
    Column("role", String(12), nullable=False),
    Column("toolsets", Document),
    Column("created_by", String(120), nullable=False),
    moment(),
    moment("expires_at"),
    Column("revoked_at", BigInteger),
    Column("used_at", BigInteger),
)
