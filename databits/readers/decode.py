"""From bytes to lines: encodings, binary junk, and what to do about a line that does not decode."""

import codecs
import os
import re
from collections.abc import Generator
from pathlib import Path

from databits.errors import Invalid, NotAllowed, NotFound
from databits.readers.record import Limits

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_HEAD = 8192  # bytes looked at for a byte-order mark and for NUL, as git does
# What `surrogateescape` leaves for a byte that is not text, and NUL, which no text file holds.
_DAMAGE = re.compile("[\x00\udc80-\udcff]")
_ADVICE = "Save it again as UTF-8, or pass encoding=, for example 'cp1252'"


def is_damaged(line: str) -> bool:
    """Whether a line of `text_lines` holds bytes that are not text."""
    return "\0" in line or (not line.isascii() and _DAMAGE.search(line) is not None)


def check_file(path: Path, limits: Limits) -> None:
    """Refuse what cannot be read before any of it is.

    Raises:
        NotFound: there is no such file.
        NotAllowed: this account may not read it.
        Invalid: it is not a regular file, is empty, or is larger than `limits.max_bytes`.
    """
    if not os.path.exists(path):
        raise NotFound(f"There is no file {path.name}.")
    if not os.path.isfile(path):  # a pipe or a device would block the reader for ever
        raise Invalid(f"{path.name} is not a regular file. Give a file, a folder or a glob.")
    if not os.access(path, os.R_OK):
        raise NotAllowed(f"{path.name} may not be read by the account the workbench runs as.")
    size = path.stat().st_size
    if size == 0:
        raise Invalid(f"{path.name} is empty.")
    if size > limits.max_bytes:
        raise Invalid(
            f"{path.name} has {size:,} bytes; the limit is {limits.max_bytes:,}. "
            "Split the file, or raise the limit."
        )


def find_encoding(path: Path, encoding: str | None) -> str:
    """The encoding to open a text file with: the one given, else by byte-order mark, else UTF-8.

    Raises:
        Invalid: the encoding is unknown, or the file begins like a binary one.
    """
    if encoding is not None:
        try:
            "a".encode(encoding).decode(encoding, "surrogateescape")
        except (LookupError, UnicodeError):
            known = "utf-8, utf-16, utf-16-le, cp1252, latin-1, shift_jis, gb18030"
            raise Invalid(f"That encoding is not known. Among those that are: {known}.") from None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for bom, named in _BOMS.items():
        if head.startswith(bom):
            # A mark at the start is certain; "utf-8" given for it would leave it in the text.
            return named
    if b"\0" in head and not _is_wide(encoding):
        raise Invalid(
            f"{path.name} holds NUL bytes, so it is a binary file or UTF-16 without a byte-order "
            "mark. Pass encoding='utf-16-le' for the latter."
        )
    return encoding or "utf-8"


def text_lines(path: Path, encoding: str) -> Generator[str]:
    r"""Lines with their ends, split at `\n`, `\r` and `\r\n`; undecodable bytes stay in, escaped.

    Raises:
        Invalid: the rest of the file cannot be decoded (half a character of UTF-16, say).
    """
    number = 0
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            for number, line in enumerate(file, 1):  # noqa: B007  read by the handler below
                yield line
    except UnicodeError:
        raise Invalid(
            f"{path.name} is not valid {encoding} after line {number}. {_ADVICE}."
        ) from None


def read_text(path: Path, encoding: str | None) -> str:
    """A whole file as text.

    Raises:
        Invalid: naming the first byte, and its line, that is not text in the encoding.
    """
    chosen = find_encoding(path, encoding)
    parts: list[str] = []
    for number, line in enumerate(text_lines(path, chosen), 1):
        if is_damaged(line):
            raise Invalid(
                f"{path.name} is not valid {chosen} at line {number}{_at_byte(path, chosen)}. "
                f"{_ADVICE}."
            )
        parts.append(line)
    return "".join(parts)


def check_damage(path: Path, encoding: str, damaged: list[int], rows: int, limits: Limits) -> None:
    """Refuse a file of which too many rows do not decode.

    Args:
        damaged: positions of the rows that do not decode.
        rows: how many rows the file has, those included.

    Raises:
        Invalid: more than `limits.max_damaged` of the rows (and more than one), or all of them.
    """
    allowed = max(1, int(rows * limits.max_damaged))
    if damaged and (len(damaged) > allowed or len(damaged) == rows):
        raise Invalid(
            f"{len(damaged):,} of {rows:,} rows of {path.name} are not valid {encoding}, the first "
            f"at line {damaged[0]}{_at_byte(path, encoding)}. {_ADVICE}."
        )


def _is_wide(encoding: str | None) -> bool:
    """Whether the encoding writes ASCII with NUL bytes."""
    return encoding is not None and b"\0" in "a".encode(encoding)


def _at_byte(path: Path, encoding: str) -> str:
    """Where the first undecodable byte is, for a message; nothing where that cannot be told."""
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        return ""
    offset = 0
    with path.open("rb") as file:
        for line in file:  # a character of UTF-8 never contains the newline byte
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f" (byte {offset + error.start})"
            offset += len(line)
    return ""
