"""Comma-, semicolon-, tab- and bar-separated tables, with the rows that break them."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from databits.errors import Invalid
from databits.readers.columns import Row, collect
from databits.readers.content import normalise_text
from databits.readers.decode import check_damage, find_encoding, is_damaged, text_lines
from databits.readers.record import FileRead, Limits, Problem

# The module's limit is one number for the whole process and ends the read when a cell passes it.
# Cells are measured row by row instead, so it is lifted once, for every reader alike.
csv.field_size_limit(2**31 - 1)

_DELIMITERS = ",;\t|"
_NO_DELIMITER = "\x1f"  # a table of one column: commas in it are text
_SNIFFED = 50  # records that decide the delimiter
_SPAN = 16  # a quoted cell may run on for this many times `max_cell` before it counts as unclosed


def read_delimited(
    path: Path, *, text_column: str | None, encoding: str | None, limits: Limits
) -> FileRead:
    """Records of a table whose first row names the columns.

    Values stay strings: `007` is not 7. Columns without a name are called column_<n>, and a
    name that repeats gets _2, _3 …. A row with too many or too few cells, an unclosed quotation
    mark, a cell over the limit, an empty text or undecodable bytes is a problem of that row.

    Raises:
        Invalid: no rows, an unreadable header, an unknown `text_column`, or too many rows that
            do not decode (see `check_damage`).
    """
    chosen = find_encoding(path, encoding)
    delimiter = sniff_delimiter(path, chosen)
    lines = _Lines(text_lines(path, chosen), span=_SPAN * limits.max_cell)
    records = _records(lines, delimiter)
    columns = _header(path, records)
    damaged: list[int] = []
    read = collect(_rows(records, columns, lines, damaged), text_column=text_column, limits=limits)
    rows = len(read.records) + len(read.problems)
    if not rows:
        raise Invalid(f"{path.name} has a header and no rows (0 rows).")
    check_damage(path, chosen, damaged, rows, limits)
    return read


def sniff_delimiter(path: Path, encoding: str) -> str:
    """The delimiter under which most of the first rows have as many cells as the header.

    One that does not split the header is out; where none does, the table has one column.
    """
    with closing(text_lines(path, encoding)) as lines:
        sample = list(islice(lines, 4 * _SNIFFED))
    best, best_score = _NO_DELIMITER, (0.0, 0)
    preferred = "\t,;|" if path.suffix.lower() == ".tsv" else _DELIMITERS
    for delimiter in preferred:
        reader = csv.reader(sample, delimiter=delimiter)
        found = [cells for cells in islice(reader, _SNIFFED) if cells]
        width = len(found[0]) if found else 0
        if width < 2:
            continue
        score = (sum(len(cells) == width for cells in found) / len(found), width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


class _Lines:
    """Lines for `csv.reader` that can be handed back when a record turns out not to end."""

    def __init__(self, source: Iterable[str], span: int) -> None:
        self._source = iter(source)
        self._returned: deque[str] = deque()
        self._span = span
        self._size = 0
        self._number = 0  # of the last line handed out
        self.taken: list[str] = []  # lines of the record being read

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._size > self._span:
            raise csv.Error("the record does not end")
        line = self._returned.popleft() if self._returned else next(self._source)
        self._number += 1
        self._size += len(line)
        self.taken.append(line)
        return line

    @property
    def first(self) -> int:
        """Number of the record's first line."""
        return self._number - len(self.taken) + 1

    def begin(self) -> None:
        """Start a record after the last line handed out."""
        self.taken.clear()
        self._size = 0

    def give_up(self) -> int:
        """Hand back all lines of the record but its first, whose number is returned."""
        first = self.first
        self._returned.extendleft(reversed(self.taken[1:]))
        self._number = first
        return first


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]] | Problem]:
    """(line, cells) of every record that is not blank.

    Strict parsing notices an unclosed quotation mark at the next quoted cell, or at the end of
    the file. Only the line that opens it is lost: reading goes on with the line after it.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Problem(
                lines.give_up(),
                "a quotation mark is never closed, or stands undoubled inside a quoted cell",
            )
            continue
        if cells:
            yield lines.first, cells


def _header(path: Path, records: Iterator[tuple[int, list[str]] | Problem]) -> list[str]:
    header = next(records, None)
    if header is None:
        raise Invalid(f"{path.name} has no header and no rows (0 rows).")
    if isinstance(header, Problem) or any(map(is_damaged, header[1])):
        raise Invalid(
            f"The header of {path.name} cannot be read: its quotation marks do not pair up, or "
            "it is not text. Put the column names in the first line and save as UTF-8."
        )
    return unique_names(header[1])


def unique_names(names: Iterable[str]) -> list[str]:
    """Column names that are neither empty nor equal: `a, a, ""` → `a, a_2, column_3`."""
    chosen: list[str] = []
    taken: set[str] = set()
    for number, raw in enumerate(names, 1):
        name = wanted = " ".join(normalise_text(raw).split()) or f"column_{number}"
        copy = 1
        while name in taken:
            copy += 1
            name = f"{wanted}_{copy}"
        chosen.append(name)
        taken.add(name)
    return chosen


def _rows(
    records: Iterator[tuple[int, list[str]] | Problem],
    columns: list[str],
    lines: _Lines,
    damaged: list[int],
) -> Iterator[Row | Problem]:
    for found in records:
        if isinstance(found, Problem):
            yield found
            continue
        line, cells = found
        if any(map(is_damaged, lines.taken)):
            damaged.append(line)
            yield Problem(line, "the line holds bytes that are not text in the file's encoding")
        elif len(cells) != len(columns):
            yield Problem(line, f"the row has {len(cells)} cells; the header has {len(columns)}")
        else:
            yield Row(line, dict(zip(columns, cells, strict=True)))
