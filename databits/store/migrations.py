"""Numbered migrations: each a function, run once, in order, inside one transaction a step.

To change the schema: change tables.py for what a new workspace gets, and append a function here
that brings an old one to the same shape. Steps are never edited once released.
"""

from collections.abc import Callable

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

from databits.errors import Conflict
from databits.store.tables import counters, metadata

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


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first_schema,)


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
