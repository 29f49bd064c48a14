"""Whole tables as canonical rows: out of one database, into another.

A row is one line of ASCII JSON with its columns in order of name; bytes are base64. The line is the
same whichever database it is read from, so the sha256 of a table's lines is its fingerprint.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Float,
    LargeBinary,
    Row,
    Select,
    Table,
    delete,
    select,
)
from sqlalchemy.exc import DBAPIError

from databits.errors import Invalid
from databits.store.migrations import MIGRATIONS
from databits.store.tables import audit, counters, metadata
from databits.store.transaction import Transaction

SCHEMA = len(MIGRATIONS)
TABLES: dict[str, Table] = {table.name: table for table in metadata.sorted_tables}
"""Parents first: the order in which rows can be put in."""
PEOPLE = frozenset({"people", "grants", "passwords", "tokens"})
LINE = 256 * 2**20
"""Bytes of a row at most."""
_PAGE = 1_000
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def rows_of(tx: Transaction, table: Table) -> Iterator[bytes]:
    """The lines of a table in order of its primary key, a page of rows in memory at a time."""
    binary = [c.name for c in table.c if isinstance(c.type, LargeBinary)]
    for row in tx.db.execute(_in_order(tx, table).execution_options(yield_per=_PAGE)):
        yield line(_texts(row, binary))


def fingerprint(lines: Iterable[bytes]) -> tuple[int, str]:
    """How many lines there are, and the sha256 over all of them."""
    digest, count = hashlib.sha256(), 0
    for one in lines:
        digest.update(one)
        count += 1
    return count, digest.hexdigest()


def occupied(tx: Transaction) -> list[str]:
    """The tables that hold rows; a new workspace has none but its counters."""
    return [
        name
        for name, table in TABLES.items()
        if table is not counters and tx.one(select(*table.primary_key).limit(1)) is not None
    ]


def clear_counters(tx: Transaction) -> None:
    """The counters of an empty workspace make room for those that come with its rows."""
    tx.db.execute(delete(counters))


def load(tx: Transaction, table: Table, lines: Iterable[bytes]) -> int:
    """Put lines of `rows_of` into a table; returns how many.

    Raises:
        Invalid: when a line is not a row of this table, or this database can not hold it.
    """
    columns = sorted(table.c, key=lambda column: column.name)
    names = tuple(column.name for column in columns)
    tx.db  # noqa: B018 - says that there is something to roll back
    made, rest = 0, iter(lines)
    while page := list(islice(rest, _PAGE)):
        rows = [_values(table, columns, one) for one in page]
        try:
            tx.driver.insert(table, names, rows)
        except (DBAPIError, OverflowError, UnicodeEncodeError):
            raise Invalid(
                f"The rows {made + 1} to {made + len(rows)} of {table.name} do not fit this database: a text "
                "is too long or holds a NUL, or a row refers to one that is missing. Nothing was imported."
            ) from None
        made += len(rows)
    return made


def audit_head(tx: Transaction) -> tuple[int, str | None]:
    """How many audit events there are, and the hash of the newest."""
    newest = tx.one(select(audit.c.hash).order_by(audit.c.id.desc()).limit(1))
    return tx.count(audit), newest.hash if newest is not None else None


def _in_order(tx: Transaction, table: Table) -> Select[Any]:
    keys: list[Any] = list(table.primary_key)
    if not tx.driver.sqlite:  # SQLite orders texts by their bytes, PostgreSQL as its locale has it
        keys = [key if key.type.python_type is int else key.collate("C") for key in keys]
    return select(table).order_by(*keys)


def line(values: Mapping[str, Any]) -> bytes:
    """A row, its bytes in base64 already, as its one line."""
    text = _encode(values)
    if "e+" in text or "-0.0" in text:
        text = _encode(_settled(values))
    return text.encode("ascii") + b"\n"


def _texts(row: Row[Any], binary: Sequence[str]) -> dict[str, Any]:
    values = dict(row._mapping)
    for name in binary:
        if values[name] is not None:
            values[name] = base64.b64encode(values[name]).decode("ascii")
    return values


def _settled(value: Any) -> Any:
    """Numbers as JSONB gives them back: large ones without an exponent, zero without a sign."""
    if isinstance(value, dict):
        return {key: _settled(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_settled(part) for part in value]
    if isinstance(value, float):
        if value == 0:
            return 0.0
        if abs(value) >= 1e16 and value.is_integer():
            return int(Decimal(repr(value)))
    return value


def _values(table: Table, columns: Sequence[Column[Any]], given: bytes) -> list[Any]:
    """The values of a line in order of `columns`."""
    try:
        row = json.loads(given)
        if len(row) != len(columns):
            raise KeyError
        return [_value(column, row[column.name]) for column in columns]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Invalid(
            f"A line of {table.name} is not a row of that table. Nothing was imported; export the "
            "workspace once more."
        ) from None


def _value(column: Column[Any], value: Any) -> Any:
    """One value as the driver takes it; raises TypeError when the column holds another kind."""
    kind = column.type
    if value is None:
        return None
    if isinstance(kind, JSON):
        return _encode(value)
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value, validate=True)
    if isinstance(kind, Float):
        return float(_of(value, int, float))
    return _of(value, int) if kind.python_type is int else _of(value, str)


def _of(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise TypeError
    return value
