"""From files to rows of the store: what import_files is made of."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from databits.errors import DatabitsError
from databits.model import Untrusted
from databits.readers import FileRead, content_sha, read_file
from databits.store import Store


class FileProblem(BaseModel):
    file: Untrusted
    position: int | None = Field(None, description="Line or page")
    reason: str


def read_all(
    paths: Sequence[Path],
    progress: Callable[[float, str], None],
    text_column: str | None,
    encoding: str | None,
) -> tuple[list[tuple[str, FileRead]], list[FileProblem]]:
    """(file name, what was read) of each file that could be read, and every problem by name."""
    read: list[tuple[str, FileRead]] = []
    problems: list[FileProblem] = []
    for n, path in enumerate(paths):
        progress(n / len(paths), f"reading file {n + 1} of {len(paths)}")
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


def record_rows(file: str, found: FileRead, source_id: int) -> list[dict[str, Any]]:
    """Records as the store takes them."""
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


def source_name(paths: Sequence[Path], path: str) -> str:
    """A name for a source, from the file or folder it came from."""
    stem = paths[0].stem if len(paths) == 1 else Path(path).name or Path(path).resolve().name
    return re.sub(r"[^a-z0-9_-]+", "-", stem.lower()).strip("-_")[:60] or "source"


def records_of_requests(store: Store, endpoint: str, request_ids: Sequence[int]) -> list[int]:
    """Requests of an endpoint as records of the source `feedback-<endpoint>`; their ids, in order.

    A request whose text is a record already is that record.
    """
    name = f"feedback-{endpoint}"
    known = store.records.find_source(name)
    source_id = known or store.records.add_source(name, f"endpoint:{endpoint}")
    requests = [store.endpoints.request_by_id(i) for i in request_ids]
    digests = [content_sha(request.text, {}) for request in requests]
    there = store.records.known(digests)
    for request, sha256 in zip(requests, digests, strict=True):
        if sha256 not in there:
            row = {
                "source_id": source_id,
                "position": request.id,
                "sha256": sha256,
                "text": request.text,
                "fields": {},
                "origin": {"request": request.request_id, "endpoint": endpoint},
            }
            there[sha256] = store.records.add([row])[0]
    return [there[sha256] for sha256 in digests]
