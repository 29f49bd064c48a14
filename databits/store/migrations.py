"""Numbered migrations: each a function, run once, in order, inside one transaction a step.

To change the schema: change `tables` for what a new workspace gets, and append a function here
that brings an old one to the same shape. Steps are never edited once released.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
)
from sqlalchemy.schema import CreateIndex

from databits.errors import Conflict
from databits.store.tables import (
    audit,
    change_rows,
    changes,
    counters,
    items,
    metadata,
    runs,
    tool_versions,
)

_ledger = Table(
    "migrations",
    MetaData(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(80), nullable=False),
    Column("at", BigInteger, nullable=False),
)


def _first_schema(db: Connection) -> None:
    metadata.create_all(db)
    # Every counter is there from the start: two first inserts at once must not both make it.
    db.execute(insert(counters), [{"name": t.name, "last": 0} for t in metadata.sorted_tables])


def _governance(db: Connection) -> None:
    """People, tokens, policies, the log of runs; row ranges in changes, traces in the audit log."""
    known = set(db.scalars(select(counters.c.name)))
    metadata.create_all(db)
    fresh = [t.name for t in metadata.sorted_tables if t.name not in known]
    if fresh:
        db.execute(insert(counters), [{"name": name, "last": 0} for name in fresh])
    for column in (
        change_rows.c.last_id,
        audit.c.trace_id,
        runs.c.key,
        runs.c.not_before,
        runs.c.cost,
    ):
        _add_column(db, column)
    db.exec_driver_sql("DROP INDEX IF EXISTS ix_items_claim")
    _add_indexes(db, runs, items, changes, change_rows, audit)


def _add_indexes(db: Connection, *tables: Table) -> None:
    """Add the indexes that are missing; SQLAlchemy's own look at them knows no expressions."""
    for table in tables:
        for index in table.indexes:
            db.execute(CreateIndex(index, if_not_exists=True))


def _add_column(db: Connection, column: Column[Any]) -> None:
    """Add a nullable column where it is missing."""
    if column.name not in {c["name"] for c in inspect(db).get_columns(column.table.name)}:
        kind = column.type.compile(db.dialect)
        quote = db.dialect.identifier_preparer.quote
        db.exec_driver_sql(
            f"ALTER TABLE {quote(column.table.name)} ADD COLUMN {quote(column.name)} {kind}"
        )


def _traces(db: Connection) -> None:
    """From a trace to what was done in it."""
    _add_indexes(db, audit)


def _outcomes(db: Connection) -> None:
    """What was refused or failed is found without reading what was not."""
    _add_indexes(db, audit)


def _tool_registry(db: Connection) -> None:
    """The tools of MCP servers, by version."""
    tool_versions.create(db, checkfirst=True)
    counted = db.scalar(select(counters.c.name).where(counters.c.name == tool_versions.name))
    if counted is None:
        db.execute(insert(counters).values(name=tool_versions.name, last=0))


def _leaner_indexes(db: Connection) -> None:
    """Fewer pages to write: a person's events are found by blocks, changes by their events."""
    for name in (
        "ix_changes_actor_id",
        "ix_changes_operation_id",
        "ix_audit_actor_id",
        "ix_items_feedback_id",
    ):
        db.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")
    _add_indexes(db, audit, items)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _first_schema,
    _governance,
    _traces,
    _outcomes,
    _tool_registry,
    _leaner_indexes,
)


def migrate(db: Connection, now: int) -> int:
    """Bring the database to the newest schema; returns how many steps ran.

    Raises:
        Conflict: when the database was written by a newer version of the workbench.
    """
    if not inspect(db).has_table(_ledger.name):
        _ledger.create(db)
    done = set(db.scalars(select(_ledger.c.number)))
    if any(number > len(MIGRATIONS) for number in done):
        raise Conflict(
            f"The workspace has schema {max(done)}, this version knows {len(MIGRATIONS)}. "
            "Upgrade databits-workbench, or point DATABITS_HOME at another folder."
        )
    fresh = [(n, step) for n, step in enumerate(MIGRATIONS, 1) if n not in done]
    for number, step in fresh:
        step(db)
        db.execute(insert(_ledger).values(number=number, name=step.__name__.strip("_"), at=now))
    return len(fresh)
