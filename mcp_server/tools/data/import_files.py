import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from databits.change import Work
from databits.errors import DatabitsError, Invalid
from databits.model import Changed
from databits.operation import operation
from databits.readers import FileRead, content_sha, read_file
from databits.store import Store
from databits.types import NewName

if TYPE_CHECKING:
    from databits.ports import Lake

SHOWN = 20


class FileProblem(BaseModel):
    file: str
    position: int | None = Field(None, description="Line or page")
    reason: str


class Imported(Changed):
    source: str
    files: int
    added: int
    duplicates: int = Field(description="Rows that are records already")
    skipped: int = Field(description="Rows that could not be read")
    problems: list[FileProblem] = Field([], description="The first of them")


@operation(
    role="engineer",
    effect="write",
    examples=(
        "import X",
        "load the file X",
        "bring in the documents in X",
        "add X as a source",
        "upload X",
        "read X",
        "pull in X",
        "ingest the files under X",
    ),
)
def import_files(
    work: Work,
    lake: "Lake",
    *,
    path: Annotated[
        str,
        Field(
            description="File, folder or glob", min_length=1, json_schema_extra={"x-entity": "path"}
        ),
    ],
    source: Annotated[
        NewName | None, Field(description="Name of the source; default: the file's name")
    ] = None,
    text_column: Annotated[
        str | None, Field(description="Column that holds the text; default: found")
    ] = None,
    encoding: Annotated[
        str | None, Field(description="Text encoding, as cp1252", max_length=40)
    ] = None,
) -> Imported:
    """Import csv, tsv, jsonl, txt, md and text-layer pdf files as records.

    A row that is a record already is counted, not doubled. A row or file that can not be read is
    reported with its line and skipped; the others are in.
    """
    paths = lake.find(path)
    read, problems = _read_all(work, paths, text_column, encoding)
    if not any(found.records for _, found in read):
        reasons = "; ".join(f"{p.file}: {p.reason}" for p in problems[:5])
        raise Invalid(f"Nothing could be imported. {reasons or 'The files are empty.'}")
    name = source or _name(paths, path)

    def write(store: Store) -> Imported:
        source_id = store.records.find_source(name) or store.records.add_source(name, path)
        rows = [row for file, found in read for row in _rows(file, found, source_id)]
        known = store.records.known([row["sha256"] for row in rows])
        fresh: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row["sha256"] not in known:
                fresh.setdefault(row["sha256"], row)
        store.records.add(list(fresh.values()))
        return Imported(
            source=name,
            files=len(read),
            added=len(fresh),
            duplicates=len(rows) - len(fresh),
            skipped=len(problems),
            problems=problems[:SHOWN],
        )

    return work.commit(write)


def _read_all(
    work: Work, paths: list[Path], text_column: str | None, encoding: str | None
) -> tuple[list[tuple[str, FileRead]], list[FileProblem]]:
    read: list[tuple[str, FileRead]] = []
    problems: list[FileProblem] = []
    for n, path in enumerate(paths):
        work.progress(n / len(paths), f"reading file {n + 1} of {len(paths)}")
        try:
            found = read_file(path, text_column=text_column, encoding=encoding)
        except DatabitsError as error:
            problems.append(FileProblem(file=path.name, reason=str(error)))
            continue
        read.append((path.name, found))
        problems += [
            FileProblem(file=path.name, position=p.position, reason=p.reason)
            for p in found.problems
        ]
    return read, problems


def _rows(file: str, found: FileRead, source_id: int) -> list[dict[str, Any]]:
    return [
        {
            "source_id": source_id,
            "position": r.position,
            "sha256": content_sha(r.text, r.fields),
            "text": r.text,
            "fields": r.fields,
            "origin": {"file": file, **r.origin},
        }
        for r in found.records
    ]


def _name(paths: list[Path], path: str) -> str:
    stem = paths[0].stem if len(paths) == 1 else Path(path).name or Path(path).resolve().name
    return re.sub(r"[^a-z0-9_-]+", "-", stem.lower()).strip("-_")[:60] or "source"
