"""What tables are made of: one metadata, and the columns that most of them have."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, MetaData, text
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


def own_id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=False)


def ref(name: str, target: str, *, index: bool = True, nullable: bool = False) -> Column[Any]:
    """A row of the table `target`."""
    return Column(name, Id, ForeignKey(f"{target}.id"), index=index, nullable=nullable)


def moment(name: str = "created_at", *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def only(condition: str) -> dict[str, Any]:
    """Options of an index of those rows alone."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
