from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from databits.change import Work
from databits.errors import Invalid
from databits.importing import FileProblem, read_all, record_rows, source_name
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import NewName

if TYPE_CHECKING:
    from databits.ports import Lake

SHOWN = 20


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
    read, problems = read_all(paths, work.progress, text_column, encoding)
    if not any(found.records for _, found in read):
        reasons = "; ".join(f"{p.file}: {p.reason}" for p in problems[:5])
        raise Invalid(f"Nothing could be imported. {reasons or 'The files are empty.'}")
    name = source or source_name(paths, path)

    def write(store: Store) -> Imported:
        source_id = store.records.find_source(name) or store.records.add_source(name, path)
        rows = [row for file, found in read for row in record_rows(file, found, source_id)]
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
