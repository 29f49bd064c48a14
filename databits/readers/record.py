"""What reading a file gives: records, and the rows that could not become one."""

from dataclasses import dataclass, field

from databits.readers.content import Value


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as it stands in a file.

    `text` is normalised (see `normalise_text`) and never blank. `position` counts as a person
    does, from 1: the line of a table (its header is line 1) or of JSON Lines, the element of a
    JSON list, the page of a PDF; 1 for a file that is one record. `origin` says the same by name:
    `{"line": 17}`, `{"row": 4}`, `{"page": 3}`.
    """

    text: str
    fields: dict[str, Value]
    position: int
    origin: dict[str, int]


@dataclass(frozen=True, slots=True)
class Problem:
    """A row or page that was left out, and why; `position` counts as in `RawRecord`.

    The reason never quotes the row.
    """

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class FileRead:
    """What a file gave, in its order. `text_column` is None where a file has no columns."""

    records: list[RawRecord] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    text_column: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is taken on.

    max_bytes: size of a whole file; a larger one is refused.
    max_cell: characters in one text or field; a longer one is a problem of its row.
    max_damaged: share of rows (0 to 1) that may be undecodable and are then left out; one row
        always may. Above it the whole file is refused, because the encoding is the likelier fault.
    """

    max_bytes: int = 2_000_000_000
    max_cell: int = 1_000_000
    max_damaged: float = 0.01


DEFAULT_LIMITS = Limits()
