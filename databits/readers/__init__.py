"""From files to raw records: csv, JSON Lines, text, Markdown and PDF.

find_files   what a person typed → files
read_file    a file → its records, and the rows that could not become one

Nothing is guessed away: a row that is left out comes back as a `Problem` with its line or page.
"""

from pathlib import Path

from databits.errors import Invalid
from databits.readers.content import (
    Value,
    comparison_key,
    content_sha,
    normalise_text,
    text_sha,
)
from databits.readers.decode import check_file
from databits.readers.delimited import read_delimited
from databits.readers.documents import read_document
from databits.readers.find import SUPPORTED_TYPES, find_files
from databits.readers.json_rows import read_json_lines, read_json_list
from databits.readers.record import DEFAULT_LIMITS, FileRead, Limits, Problem, RawRecord

__all__ = [
    "SUPPORTED_TYPES",
    "FileRead",
    "Limits",
    "Problem",
    "RawRecord",
    "Value",
    "comparison_key",
    "content_sha",
    "find_files",
    "normalise_text",
    "read_file",
    "text_sha",
]

_TABLES = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_list,
}
_DOCUMENTS = (".txt", ".md", ".markdown")


def read_file(
    path: Path,
    *,
    text_column: str | None = None,
    encoding: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> FileRead:
    """The records of one file, and its problems; the type is told by the ending of the name.

    A table (csv, tsv, jsonl, ndjson, json) has a record a row. A .txt or .md file is one record,
    a PDF one a page.

    Args:
        text_column: column of a table that is the text; see `choose_text_column` for the default.
            The other columns become the record's fields.
        encoding: of a text file without a byte-order mark; UTF-8 where none is given.

    Raises:
        Invalid: another type, empty, too large, not text, or no record in it to be read.
        NotFound, NotAllowed: the file is not there, or may not be read.
    """
    check_file(path, limits)
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        read = _TABLES[suffix]
        return read(path, text_column=text_column, encoding=encoding, limits=limits)
    if suffix in _DOCUMENTS:
        return read_document(path, encoding=encoding, limits=limits)
    if suffix == ".pdf":
        from databits.readers.pdf import read_pdf  # PDFium loads when the first PDF is read

        return read_pdf(path, limits=limits)
    raise Invalid(
        f"{path.name} is of a type that is not read. Types: {', '.join(SUPPORTED_TYPES)}."
    )
