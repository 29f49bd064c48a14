"""Files that are one record each: plain text and Markdown."""

from pathlib import Path

from databits.errors import Invalid
from databits.readers.content import normalise_text
from databits.readers.decode import read_text
from databits.readers.record import FileRead, Limits, RawRecord

_BYTES_A_CHARACTER = 4  # at most, in every encoding that is read


def read_document(path: Path, *, encoding: str | None, limits: Limits) -> FileRead:
    """A whole text or Markdown file as one record; blank lines do not divide it.

    Raises:
        Invalid: it has no text, is longer than `limits.max_cell` characters, or does not decode.
    """
    if path.stat().st_size > _BYTES_A_CHARACTER * (limits.max_cell + 1):
        raise _too_long(path, limits)  # without reading it
    text = normalise_text(read_text(path, encoding))
    if not text.strip():
        raise Invalid(f"{path.name} has no text.")
    if len(text) > limits.max_cell:
        raise _too_long(path, limits)
    return FileRead(records=[RawRecord(text, {}, 1, {"line": 1})])


def _too_long(path: Path, limits: Limits) -> Invalid:
    return Invalid(
        f"{path.name} is one record of more than {limits.max_cell:,} characters, the limit. "
        "Split it into several files, or put a record a line into a .jsonl file."
    )
