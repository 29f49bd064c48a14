"""The database's own cursor, for statements that run thousands of times a second or over 100k rows.

SQLAlchemy writes these statements once a dialect; after that they cost what the driver costs. All
of it happens inside the transaction of the SQLAlchemy connection that the cursor belongs to.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    Text,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

FEW = 20  # rows below which PostgreSQL is faster without a bulk load


class Prepared:
    """A statement with named parameters, compiled once for each dialect.

    Args:
        make: Gives the statement; it is told whether it is for SQLite.
    """

    def __init__(self, make: Callable[[bool], ClauseElement]) -> None:
        self._make = make
        self._compiled: dict[str, _Compiled] = {}

    def on(self, dialect: Dialect) -> "_Compiled":
        found = self._compiled.get(dialect.name)
        if found is None:
            statement = self._make(dialect.name == "sqlite")
            found = self._compiled[dialect.name] = _Compiled(statement, dialect)
        return found


class _Compiled:
    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self.fixed = {k: v for k, v in compiled.params.items() if v is not None}
        self.order: tuple[str, ...] = tuple(compiled.positiontup or ())
        columns = list(getattr(statement, "selected_columns", ()))
        returning = getattr(statement, "_returning", ())
        columns = columns or list(returning)
        self.row: Any = namedtuple("Row", [c.key for c in columns], rename=True)  # type: ignore[misc]
        readers = [
            (n, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for n, column in enumerate(columns)
            if isinstance(column.type, JSON)
        ]
        self.readers = [(n, read) for n, read in readers if read is not None]


def among(column: ColumnElement[Any], sqlite: bool, ids: Any = None) -> ColumnElement[bool]:
    """`column` is one of many ids, however many: a parameter that `Driver.ids` gives.

    Args:
        ids: Its value; without one, the parameter is named `ids`.
    """
    kind = Text() if sqlite else ARRAY(BigInteger)
    given = bindparam("ids", ids, type_=kind, unique=ids is not None, required=ids is None)
    if sqlite:
        listed = func.json_each(given).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == any_(given)


class Driver:
    """The cursor under a connection, with its dialect's way of doing many rows at once."""

    def __init__(self, db: Connection) -> None:
        self.dialect = db.dialect
        self.sqlite = db.dialect.name == "sqlite"
        driver: Any = db.connection.driver_connection
        self._cursor = driver.cursor()
        self._error: Any = db.dialect.loaded_dbapi.Error

    def ids(self, ids: Iterable[int]) -> Any:
        """Ids as a parameter of `among`."""
        return to_json(list(ids)).decode() if self.sqlite else list(ids)

    def fetch(self, prepared: Prepared, **values: Any) -> list[Any]:
        """The rows of a prepared select, as named tuples."""
        compiled = prepared.on(self.dialect)
        if compiled.fixed:
            values = {**compiled.fixed, **values}
        given = [values[n] for n in compiled.order] if self.sqlite else values
        try:
            found = self._cursor.execute(compiled.sql, given).fetchall()
        except self._error as error:
            self._tell(compiled.sql, error)
        make = compiled.row._make
        if compiled.readers:
            return [make(_read(row, compiled.readers)) for row in found]
        return [make(row) for row in found]

    def execute(self, sql: str, given: Sequence[Any] = ()) -> list[Any]:
        """Run one statement written with `?` placeholders; returns its rows, if it has any."""
        if not self.sqlite:
            sql = sql.replace("?", "%s")
        try:
            self._cursor.execute(sql, given)
            return self._cursor.fetchall() if self._cursor.description else []
        except self._error as error:
            self._tell(sql, error)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement written with `?` placeholders once for each row."""
        if not self.sqlite:
            sql = sql.replace("?", "%s")
        try:
            if len(rows) == 1:
                self._cursor.execute(sql, rows[0])
            else:
                self._cursor.executemany(sql, rows)
        except self._error as error:
            self._tell(sql, error)

    def insert(self, table: Table, names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of values in the order of `names`; documents are JSON texts already."""
        if self.sqlite or len(rows) < FEW:
            self.many(_insert(table, names, self.sqlite), rows)
            return
        columns = ", ".join(map(_quoted, names))
        try:
            with self._cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        except self._error as error:
            self._tell("COPY", error)

    def update(
        self, table: Table, names: tuple[str, ...], after: Mapping[int, tuple[Any, ...]]
    ) -> None:
        """Write new values of rows, by id."""
        sets = _sets(table, names, self.sqlite)
        sql = f"UPDATE {table.name} SET {sets} WHERE id = ?"
        self.many(sql, [(*values, i) for i, values in after.items()])

    def set_all(
        self, table: Table, names: tuple[str, ...], values: tuple[Any, ...], ids: Sequence[int]
    ) -> int:
        """Write the same new values to many rows; returns how many there are."""
        sets = _sets(table, names, self.sqlite)
        sql = f"UPDATE {table.name} SET {sets} WHERE id {self._listed()}"
        self.execute(sql, [*values, self.ids(ids)])
        return int(self._cursor.rowcount)

    def image(
        self,
        first: int,
        change_id: int,
        table: Table,
        kind: str,
        names: tuple[str, ...],
        ids: Sequence[int],
        after: str | None,
    ) -> int:
        """Write images of rows of a `plain` table as they are now; returns how many.

        Args:
            first: Id of the first image; the others follow on.
        """
        build = "json_object" if self.sqlite else "jsonb_build_object"
        pairs = ", ".join(f"'{name}', {_quoted(name)}" for name in names)
        cast = "" if self.sqlite else "::text"
        self.execute(
            f"INSERT INTO change_rows (id, change_id, table_name, row_id, kind, before, after)"
            f" SELECT ? + row_number() OVER (ORDER BY id), ?, ?{cast}, id, ?{cast},"
            f" {build}({pairs}), ?{'' if self.sqlite else '::jsonb'}"
            f" FROM {table.name} WHERE id {self._listed()}",
            [first - 1, change_id, table.name, kind, after, self.ids(ids)],
        )
        return int(self._cursor.rowcount)

    def delete(self, table: Table, ids: Iterable[int]) -> int:
        self.execute(f"DELETE FROM {table.name} WHERE id {self._listed()}", [self.ids(ids)])
        return int(self._cursor.rowcount)

    def _listed(self) -> str:
        return "IN (SELECT value FROM json_each(?))" if self.sqlite else "= ANY(?)"

    def _tell(self, sql: str, error: BaseException) -> NoReturn:
        raise DBAPIError.instance(
            sql,
            None,
            error,
            self._error,
            dialect=self.dialect,
        ) from error


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
def _insert(table: Table, names: tuple[str, ...], sqlite: bool) -> str:
    texts = () if sqlite else documents(table, names)
    marks = ", ".join("?::jsonb" if n in texts else "?" for n in range(len(names)))
    return f"INSERT INTO {table.name} ({', '.join(map(_quoted, names))}) VALUES ({marks})"


@cache
def _sets(table: Table, names: tuple[str, ...], sqlite: bool) -> str:
    texts = () if sqlite else documents(table, names)
    return ", ".join(
        f"{_quoted(name)} = {'?::jsonb' if n in texts else '?'}" for n, name in enumerate(names)
    )


def _quoted(name: str) -> str:
    """A column's name, which no dialect then takes for a word of its own (`position`, `key`)."""
    return f'"{name}"'


def _read(row: Sequence[Any], readers: Sequence[tuple[int, Callable[[Any], Any]]]) -> list[Any]:
    values = list(row)
    for n, read in readers:
        values[n] = read(values[n])
    return values
