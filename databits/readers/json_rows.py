"""JSON Lines, and JSON files that hold a list."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from databits.errors import Invalid
from databits.readers.columns import Row, collect
from databits.readers.content import normalise_text
from databits.readers.decode import (
    check_damage,
    find_encoding,
    is_damaged,
    read_text,
    text_lines,
)
from databits.readers.record import FileRead, Limits, Problem


def read_json_lines(
    path: Path, *, text_column: str | None, encoding: str | None, limits: Limits
) -> FileRead:
    """Records of a file with one JSON object, or one JSON string, a line; blank lines are skipped.

    Numbers and truth values are kept as they are; nested values become JSON text.

    Raises:
        Invalid: no rows, an unknown `text_column`, or too many lines that do not decode.
    """
    chosen = find_encoding(path, encoding)
    damaged: list[int] = []
    rows = _parse_lines(text_lines(path, chosen), damaged)
    read = collect(rows, text_column=text_column, limits=limits)
    count = len(read.records) + len(read.problems)
    if not count:
        raise Invalid(f"{path.name} has 0 rows.")
    check_damage(path, chosen, damaged, count, limits)
    return read


def read_json_list(
    path: Path, *, text_column: str | None, encoding: str | None, limits: Limits
) -> FileRead:
    """Records of a file that is one JSON list of objects or strings; positions count elements.

    Raises:
        Invalid: it is not JSON, not a list, an empty one, not text, or lacks `text_column`.
    """
    try:
        found = _loads(read_text(path, encoding))
    except (ValueError, RecursionError):
        raise Invalid(
            f"{path.name} is not one JSON value. If it has one object a line, name it .jsonl."
        ) from None
    if not isinstance(found, list):
        raise Invalid(f"{path.name} holds one JSON value. Make it a list with an object a record.")
    if not found:
        raise Invalid(f"{path.name} has 0 rows.")
    rows = (_to_row(position, value, "row") for position, value in enumerate(found, 1))
    return collect(rows, text_column=text_column, limits=limits)


def _parse_lines(lines: Iterable[str], damaged: list[int]) -> Iterator[Row | Problem]:
    for number, line in enumerate(lines, 1):
        if is_damaged(line):
            damaged.append(number)
            yield Problem(number, "the line holds bytes that are not text in the file's encoding")
        elif line.strip():
            try:
                value = _loads(line)
            except (ValueError, RecursionError):
                yield Problem(number, "the line is not valid JSON")
                continue
            yield _to_row(number, value, "line")


def _to_row(position: int, value: Any, unit: str) -> Row | Problem:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict) or not value:
        return Problem(position, f"the {unit} is not a JSON object with a value in it")
    # A key can hold half a character, as "\ud800" does, which no database takes.
    cells = {key if key.isascii() else normalise_text(key): cell for key, cell in value.items()}
    return Row(position, cells, unit)


def _loads(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    """NaN and Infinity are not JSON, and no database column takes them."""
    raise ValueError(constant)
