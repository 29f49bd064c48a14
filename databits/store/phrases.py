"""Statements that are put together by table and columns, and values as they stand in them."""

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from pydantic_core import to_json
from sqlalchemy import JSON, Integer, String, Table
from sqlalchemy.engine import Dialect


def document(value: Any) -> str | None:
    """A JSON column's value as text."""
    return None if value is None else to_json(value, inf_nan_mode="constants").decode()


@cache
def documents(table: Table, names: tuple[str, ...]) -> tuple[int, ...]:
    """The places of JSON columns among `names`."""
    return tuple(n for n, name in enumerate(names) if isinstance(table.c[name].type, JSON))


@cache
def plain(table: Table, names: tuple[str, ...]) -> bool:
    """Whether the database itself can write these columns as JSON without losing anything.

    SQLite writes 15 digits of a real, which is not all of it.
    """
    return all(isinstance(table.c[name].type, (Integer, String)) for name in names)


@cache
def sayable(table: Table, names: tuple[str, ...]) -> bool:
    """Whether JSON text can hold all that these columns can: it has neither NaN nor bytes."""
    return all(isinstance(table.c[name].type, (Integer, String, JSON)) for name in names)


class Columns:
    """Some columns of a table, in order of name, and how rows give their values."""

    def __init__(self, table: Table, names: tuple[str, ...]) -> None:
        self.names = names
        self.with_id = ("id", *names)
        self.texts = documents(table, names)
        self.plain = plain(table, names)
        self._said: Callable[[Any], Any] = itemgetter(*names)
        self._held: Callable[[Any], Any] = attrgetter(*names)
        self._alone = len(names) == 1

    def said(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values that a caller gave, documents as text."""
        found = self._said(row)
        values: tuple[Any, ...] = (found,) if self._alone else found
        if not self.texts:
            return values
        return tuple([document(v) if n in self.texts else v for n, v in enumerate(values)])

    def held(self, row: Any) -> tuple[Any, ...]:
        """The values of a row that was read."""
        found = self._held(row)
        return (found,) if self._alone else found


@cache
def columns_of(table: Table, names: tuple[str, ...]) -> Columns:
    """These columns but the id, in whatever order."""
    return Columns(table, tuple(sorted(name for name in names if name != "id")))


@cache
def insert_one(table: Table, names: tuple[str, ...], sqlite: bool) -> str:
    texts = () if sqlite else documents(table, names)
    marks = ", ".join("?::jsonb" if n in texts else "?" for n in range(len(names)))
    return f"INSERT INTO {table.name} ({', '.join(map(quoted, names))}) VALUES ({marks})"


@cache
def update_one(table: Table, names: tuple[str, ...], sqlite: bool) -> str:
    return f"UPDATE {table.name} SET {setting(table, names, sqlite)} WHERE id = ?"


@cache
def setting(table: Table, names: tuple[str, ...], sqlite: bool) -> str:
    texts = () if sqlite else documents(table, names)
    return ", ".join(
        f"{quoted(name)} = {'?::jsonb' if n in texts else '?'}" for n, name in enumerate(names)
    )


def quoted(name: str) -> str:
    """A column's name, which no dialect then takes for a word of its own (`position`, `key`)."""
    return f'"{name}"'


@cache
def insert_all(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    """Inserts the rows of one JSON text, on PostgreSQL."""
    columns = ", ".join(map(quoted, names))
    values = ", ".join(_said(table, name) for name in names)
    said = _rows_said(table, names, dialect)
    return f"INSERT INTO {table.name} ({columns}) SELECT {values} FROM {said}"


@cache
def update_all(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    """Updates the rows of one JSON text by their ids, on PostgreSQL."""
    sets = ", ".join(f"{quoted(name)} = {_said(table, name)}" for name in names)
    said = _rows_said(table, ("id", *names), dialect)
    return f"UPDATE {table.name} SET {sets} FROM {said} WHERE {table.name}.id = said.id"


def _said(table: Table, name: str) -> str:
    return f"said.{quoted(name)}{'::jsonb' if documents(table, (name,)) else ''}"


def _rows_said(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    typed = ", ".join(
        f"{quoted(name)} {'text' if documents(table, (name,)) else table.c[name].type.compile(dialect)}"
        for name in names
    )
    return f"json_to_recordset(%s::json) AS said({typed})"
