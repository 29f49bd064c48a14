"""The database's own cursor, for statements that run thousands of times a second or over 100k rows.

SQLAlchemy writes these statements once a dialect; after that they cost what the driver costs. All
of it happens inside the transaction of the SQLAlchemy connection that the cursor belongs to.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from pydantic_core import to_json
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

from databits.store.phrases import (
    insert_all,
    insert_one,
    quoted,
    sayable,
    setting,
    update_all,
    update_one,
)
from databits.store.prepared import Prepared

FEW = 20  # rows below which PostgreSQL is faster without a bulk load
SOME = 2000  # rows that PostgreSQL gets as one JSON text, in one statement
Asked = tuple[Prepared, Mapping[str, Any]]
"""A prepared select with the values of its parameters."""


class Driver:
    """The cursor under a connection, with its dialect's way of doing many rows at once."""

    def __init__(self, db: Connection) -> None:
        self.dialect = db.dialect
        self.sqlite = db.dialect.name == "sqlite"
        driver: Any = db.connection.driver_connection
        self._db = driver
        self._cursor = self._db.cursor()
        self._error: Any = db.dialect.loaded_dbapi.Error

    def renew(self) -> None:
        """End whatever the cursor has begun."""
        self._cursor.close()
        self._cursor = self._db.cursor()

    def ids(self, ids: Iterable[int] | Iterable[str]) -> Any:
        """Ids, or names, as a parameter of `among`."""
        return to_json(list(ids)).decode() if self.sqlite else list(ids)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is said inside goes to PostgreSQL in one round trip; errors may come at its end."""
        if self.sqlite:
            yield
            return
        try:
            with self._db.pipeline():
                yield
        except self._error as error:
            self._tell("one of several at once", error)

    def fetch(self, prepared: Prepared, **values: Any) -> list[Any]:
        """The rows of a prepared select, as named tuples."""
        compiled = prepared.on(self.dialect)
        try:
            found = self._cursor.execute(compiled.sql, compiled.given(values)).fetchall()
        except self._error as error:
            self._tell(compiled.sql, error)
        return compiled.rows(found)

    def pairs(self, prepared: Prepared, **values: Any) -> dict[Any, Any]:
        """The rows of a prepared select of two columns, as first → second."""
        compiled = prepared.on(self.dialect)
        try:
            return dict(self._cursor.execute(compiled.sql, compiled.given(values)).fetchall())
        except self._error as error:
            self._tell(compiled.sql, error)

    def fetch_all(self, asked: Sequence[Asked]) -> list[list[Any]]:
        """The rows of several prepared selects; PostgreSQL is asked in one round trip."""
        if self.sqlite:  # one after the other: a statement is parsed anew while it is still read
            return [self.fetch(prepared, **values) for prepared, values in asked]
        selects = [(prepared.on(self.dialect), values) for prepared, values in asked]
        with self.together():
            try:
                answers = [
                    self._db.cursor().execute(compiled.sql, compiled.given(values))
                    for compiled, values in selects
                ]
                found = [answer.fetchall() for answer in answers]
            except self._error as error:
                self._tell("; ".join(compiled.sql for compiled, _ in selects), error)
        return [compiled.rows(rows) for (compiled, _), rows in zip(selects, found, strict=True)]

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
        if self._as_one_text(table, names, len(rows)):
            self._send(insert_all(table, names, self.dialect), names, rows)
        elif self.sqlite or len(rows) < FEW:
            self.many(insert_one(table, names, self.sqlite), rows)
        else:
            self._copy(table, names, rows)

    def update(
        self, table: Table, names: tuple[str, ...], after: Mapping[int, tuple[Any, ...]]
    ) -> None:
        """Write new values of rows, by id."""
        if self._as_one_text(table, names, len(after)):
            rows = [(i, *values) for i, values in after.items()]
            self._send(update_all(table, names, self.dialect), ("id", *names), rows)
        else:
            rows = [(*values, i) for i, values in after.items()]
            self.many(update_one(table, names, self.sqlite), rows)

    def _as_one_text(self, table: Table, names: tuple[str, ...], count: int) -> bool:
        """Whether PostgreSQL gets these rows as one JSON text, which costs it and us the least."""
        return not self.sqlite and count <= SOME and sayable(table, names)

    def _send(self, sql: str, names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        said = to_json([dict(zip(names, row, strict=True)) for row in rows]).decode()
        try:
            # A cursor of its own: inside `together`, the answer to the one before is still to come.
            self._db.cursor().execute(sql, (said,))
        except self._error as error:
            self._tell(sql, error)

    def _copy(self, table: Table, names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        columns = ", ".join(map(quoted, names))
        try:
            with self._cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        except self._error as error:
            self._tell("COPY", error)

    def set_all(
        self, table: Table, names: tuple[str, ...], values: tuple[Any, ...], ids: Sequence[int]
    ) -> int:
        """Write the same new values to many rows; returns how many there are."""
        sets = setting(table, names, self.sqlite)
        sql = f"UPDATE {table.name} SET {sets} WHERE id {self.listed()}"
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
        pairs = ", ".join(f"'{name}', {quoted(name)}" for name in names)
        cast = "" if self.sqlite else "::text"
        self.execute(
            f"INSERT INTO change_rows (id, change_id, table_name, row_id, kind, before, after)"
            f" SELECT ? + row_number() OVER (ORDER BY id), ?, ?{cast}, id, ?{cast},"
            f" {build}({pairs}), ?{'' if self.sqlite else '::jsonb'}"
            f" FROM {table.name} WHERE id {self.listed()}",
            [first - 1, change_id, table.name, kind, after, self.ids(ids)],
        )
        return int(self._cursor.rowcount)

    def delete(self, table: Table, ids: Iterable[int]) -> int:
        self.execute(f"DELETE FROM {table.name} WHERE id {self.listed()}", [self.ids(ids)])
        return int(self._cursor.rowcount)

    def listed(self) -> str:
        """A column is one of many values, which `ids` gives as a parameter."""
        return "IN (SELECT value FROM json_each(?))" if self.sqlite else "= ANY(?)"

    def _tell(self, sql: str, error: BaseException) -> NoReturn:
        raise DBAPIError.instance(
            sql,
            None,
            error,
            self._error,
            dialect=self.dialect,
        ) from error
