"""Statements that SQLAlchemy writes once a dialect and the driver's cursor runs ever after."""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    ColumnElement,
    String,
    Text,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement


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
        self._sqlite = dialect.name == "sqlite"

    def given(self, values: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them."""
        if self.fixed:
            values = {**self.fixed, **values}
        return [values[n] for n in self.order] if self._sqlite else values

    def rows(self, found: Sequence[Any]) -> list[Any]:
        """What the driver found, as named tuples."""
        make = self.row._make
        if self.readers:
            return [make(_read(row, self.readers)) for row in found]
        return [make(row) for row in found]


def among(
    column: ColumnElement[Any], sqlite: bool, ids: Any = None, *, name: str = "ids"
) -> ColumnElement[bool]:
    """`column` is one of many values, however many: a parameter that `Driver.ids` gives.

    Args:
        ids: Its value; without one, the parameter is named `name`.
    """
    kind = Text() if sqlite else ARRAY(Text if isinstance(column.type, String) else BigInteger)
    given = bindparam(name, ids, type_=kind, unique=ids is not None, required=ids is None)
    if sqlite:
        listed = func.json_each(given).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == any_(given)


def _read(row: Sequence[Any], readers: Sequence[tuple[int, Callable[[Any], Any]]]) -> list[Any]:
    values = list(row)
    for n, read in readers:
        values[n] = read(values[n])
    return values
