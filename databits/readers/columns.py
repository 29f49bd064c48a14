"""From rows to records: which column is the text, and which rows cannot be taken."""

import json
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from databits.errors import Invalid
from databits.readers.content import Value, normalise_text
from databits.readers.record import FileRead, Limits, Problem, RawRecord

_USUAL = (
    "message", "body", "content", "description", "ticket", "question", "review", "comment",
    "comments", "feedback", "note", "notes", "utterance", "query", "summary",
)  # fmt: skip
_SAMPLE = 200  # rows looked at to choose the text column
_SHOWN = 20  # column names listed in a message


@dataclass(frozen=True, slots=True)
class Row:
    """A row by column; `unit` is what its position counts: "line" or "row"."""

    position: int
    cells: dict[str, Any]
    unit: str = "line"


def choose_text_column(sample: Sequence[Mapping[str, Any]], wanted: str | None = None) -> str:
    """The column that holds what people write.

    The one asked for; else one named `text`; else the first of the usual names (message, body,
    content …) whose values mostly have a space in them, since `ticket` may as well be a number;
    else the column with the longest values on average.

    Args:
        sample: the first rows, by column.

    Raises:
        Invalid: listing the columns, where `wanted` is none of them; or no column has text.
    """
    columns = list(dict.fromkeys(name for row in sample for name in row))
    if wanted is not None:
        if wanted in columns:
            return wanted
        more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
        listed = ", ".join(name[:80] for name in columns[:_SHOWN])
        raise Invalid(f"There is no column of that name. Columns: {listed}{more}.")
    for name in columns:
        if name.strip().casefold() == "text":
            return name
    values = {name: _strings(sample, name) for name in columns}
    lengths = {name: sum(map(len, found)) / len(found) for name, found in values.items() if found}
    if not lengths:
        raise Invalid("No column of the file has text. Pass text_column= to name one.")
    named = {name.strip().casefold(): name for name in reversed(lengths)}
    for usual in _USUAL:
        if usual in named and _is_prose(values[named[usual]]):
            return named[usual]
    return max(lengths, key=lengths.__getitem__)  # the first of equals, in the file's order


def collect(rows: Iterable[Row | Problem], *, text_column: str | None, limits: Limits) -> FileRead:
    """Rows to records, in order; a row that cannot be one becomes a problem.

    Raises:
        Invalid: see `choose_text_column`.
    """
    stream = iter(rows)
    held = list(_until_sampled(stream))
    sample = [row.cells for row in held if isinstance(row, Row)]
    if not sample:  # then `stream` is exhausted as well
        return FileRead(problems=[row for row in held if isinstance(row, Problem)])
    column = choose_text_column(sample, text_column)
    read = FileRead(text_column=column)
    waiting = deque(held)
    for row in chain(_drain(waiting), stream):
        found = row if isinstance(row, Problem) else _to_record(row, column, limits)
        if isinstance(found, Problem):
            read.problems.append(found)
        else:
            read.records.append(found)
    return read


def _until_sampled(stream: Iterator[Row | Problem]) -> Iterator[Row | Problem]:
    seen = 0
    for row in stream:
        yield row
        seen += isinstance(row, Row)
        if seen == _SAMPLE:
            return


def _drain(held: deque[Row | Problem]) -> Iterator[Row | Problem]:
    while held:
        yield held.popleft()


def _to_record(row: Row, column: str, limits: Limits) -> RawRecord | Problem:
    cells: dict[str, Value] = {}
    for number, (name, value) in enumerate(row.cells.items(), 1):
        if isinstance(value, (dict, list)):
            value = json.dumps(value, ensure_ascii=False)
        if isinstance(value, str):
            if len(value) > limits.max_cell:
                return Problem(
                    row.position,
                    f"cell {number} has {len(value):,} characters; the limit is "
                    f"{limits.max_cell:,}",
                )
            value = normalise_text(value)
        elif isinstance(value, float) and not math.isfinite(value):
            return Problem(row.position, f"cell {number} is not a finite number")
        cells[name] = value
    text = cells.pop(column, None)
    if text is None or (isinstance(text, str) and not text.strip()):
        return Problem(row.position, "the text is empty")
    if not isinstance(text, str):
        return Problem(row.position, "the text column holds a number or a truth value, not text")
    return RawRecord(text, cells, row.position, {row.unit: row.position})


def _strings(sample: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    found = (row.get(name) for row in sample)
    return [value for value in found if isinstance(value, str) and value.strip()]


def _is_prose(values: Sequence[str]) -> bool:
    return 2 * sum(" " in value.strip() for value in values) >= len(values)
