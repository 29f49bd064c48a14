"""A whole workspace as one file: out of SQLite or PostgreSQL, into an empty workspace on either.

The archive holds every table as canonical rows, MLflow's database and the models' files, and what
was dropped on the page. Its manifest has the sha256 of each. Conversations of the chat stay behind.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from databits.archive import MANIFEST, Entry, Packed, Packing, canonical, opened, packing
from databits.errors import Conflict, Invalid, Unavailable
from databits.settings import Settings
from databits.store import Store
from databits.store import transfer as rows
from databits.store.database import Database
from databits.workspace_files import EMPTY, PLACES, Progress, is_safe, pack, placed, refuse_if_there


class TableEntry(Entry):
    rows: int = Field(ge=0)


class Manifest(BaseModel):
    """What an archive says of itself."""

    model_config = ConfigDict(extra="forbid", strict=True)
    format: Literal["databits-workspace-1"] = "databits-workspace-1"
    product: str
    tables_version: int
    created: str
    people: bool
    audit_events: int
    audit_head: str | None
    tables: dict[str, TableEntry]
    files: dict[str, Entry]

    @property
    def entries(self) -> dict[str, Entry]:
        return {**self.files, **{_place(name): entry for name, entry in self.tables.items()}}


class Moved(BaseModel):
    """What an export or an import moved."""

    path: str
    rows: int
    files: int
    audit_events: int
    audit_head: str | None
    audit_broken: int | None = Field(None, description="First event whose hash does not hold")
    people: bool


def export_workspace(
    settings: Settings,
    database: Database,
    target: Path,
    *,
    people: bool = True,
    progress: Progress = lambda _: None,
) -> Moved:
    """Write the workspace, as it is at one moment, into a zip; `people`: with accounts and tokens.

    Raises:
        Conflict: when the file exists; Unavailable: when the disk has no room for it.
    """
    if target.is_dir():
        target /= f"databits-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip"

    def write(store: Store) -> tuple[Manifest, int | None]:
        events, head = rows.audit_head(store.tx)  # also begins the view that all reads share
        with packing(target) as made:
            tables = {}
            for name, table in rows.TABLES.items():
                progress(f"writing {name}")
                kept = people or name not in rows.PEOPLE
                tables[name] = _pack_table(
                    made, name, rows.rows_of(store.tx, table) if kept else iter(())
                )
            manifest = Manifest(
                product=version("databits-workbench"),
                tables_version=rows.SCHEMA,
                created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                people=people,
                audit_events=events,
                audit_head=head,
                tables=tables,
                files=pack(made, settings, target.parent, progress),
            )
            made.add(MANIFEST, [canonical(manifest.model_dump())])
        return manifest, store.audit.first_broken()[1]

    with _disk_told():
        manifest, broken = database.read(write)
    return _moved(target, manifest, broken)


def import_workspace(
    settings: Settings,
    database: Database,
    source: Path,
    *,
    progress: Progress = lambda _: None,
) -> Moved:
    """Read an archive into this workspace, which must be empty; all of it, checked, or nothing.

    Raises:
        Conflict: when the workspace is not empty, or the archive is of another schema.
        Invalid: when the archive is not what its manifest says; Unavailable: no room on the disk.
    """
    database.read(lambda store: _refuse_unless_empty(store, settings))
    with opened(source) as archive, _disk_told():
        manifest = _manifest(archive)
        _refuse_unless_room(settings.home, manifest)
        with placed(archive, manifest.files, settings, progress):
            database.write(lambda store: _load(store, archive, manifest, progress))
    return _moved(source, manifest, None)


def _pack_table(made: Packing, name: str, lines: Iterator[bytes]) -> TableEntry:
    count = 0

    def counted() -> Iterator[bytes]:
        nonlocal count
        for line in lines:
            count += 1
            yield line

    entry = made.add(_place(name), counted())
    return TableEntry(**entry.model_dump(), rows=count)


def _manifest(archive: Packed) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(archive.manifest())
    except ValidationError:
        raise Invalid(
            "The file is not an export of a workspace, or its manifest was altered. Export it once more "
            "with `databits export`."
        ) from None
    if manifest.tables_version != rows.SCHEMA:
        raise Conflict(
            f"The export has schema {manifest.tables_version}, this version knows {rows.SCHEMA}. Import it with the "
            f"version that wrote it ({_word(manifest.product)}), upgrade there, and export again."
        )
    if manifest.tables.keys() != rows.TABLES.keys() or not all(map(is_safe, manifest.files)):
        raise Invalid(
            "The export lists tables or files that no workspace has. Export it once more."
        )
    archive.check_names(manifest.entries)
    return manifest


def _load(store: Store, archive: Packed, manifest: Manifest, progress: Progress) -> None:
    """Every row in, then the tables compared with the manifest as they now are."""
    _refuse_if_occupied(store)
    rows.clear_counters(store.tx)
    for name, table in rows.TABLES.items():
        progress(f"reading {name}")
        rows.load(store.tx, table, archive.lines(_place(name), manifest.tables[name], rows.LINE))
    for name, table in rows.TABLES.items():
        progress(f"checking {name}")
        entry = manifest.tables[name]
        if rows.fingerprint(rows.rows_of(store.tx, table)) != (entry.rows, entry.sha256):
            raise Invalid(f"The rows of {name} are not those of the export; nothing was imported.")
    if rows.audit_head(store.tx) != (manifest.audit_events, manifest.audit_head):
        raise Invalid("The audit log does not end where the manifest says; nothing was imported.")
    broken = store.audit.first_broken()[1]
    if broken is not None:
        raise Invalid(
            f"The audit log in the export does not hold from event {broken} on; nothing was imported. Look into "
            "it where it came from: verify_audit."
        )


def _refuse_unless_empty(store: Store, settings: Settings) -> None:
    _refuse_if_occupied(store)
    for name in PLACES:
        refuse_if_there(settings.home / name)


def _refuse_if_occupied(store: Store) -> None:
    if found := rows.occupied(store.tx):
        raise Conflict(
            f"This workspace is in use: its table {found[0]} has rows. A workspace is imported into an empty "
            f"one only. {EMPTY}"
        )


def _refuse_unless_room(home: Path, manifest: Manifest) -> None:
    home.mkdir(parents=True, exist_ok=True)
    needed = sum(entry.bytes for entry in manifest.entries.values())
    free = shutil.disk_usage(home).free
    if needed > free:
        raise Unavailable(
            f"Unpacked it takes {needed:,} bytes and the disk of this workspace has {free:,} free; nothing was "
            "imported."
        )


@contextlib.contextmanager
def _disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"Files could not be read or written ({os.strerror(error.errno or 0)}); nothing was moved."
        ) from None


def _word(text: str) -> str:
    """A version from an archive, fit for a message: letters, digits, dots, at most 20."""
    return "".join(c for c in text if c.isascii() and (c.isalnum() or c == "."))[:20]


def _place(table: str) -> str:
    return f"tables/{table}.jsonl"


def _moved(path: Path, manifest: Manifest, broken: int | None) -> Moved:
    return Moved(
        path=str(path),
        rows=sum(entry.rows for entry in manifest.tables.values()),
        files=len(manifest.files),
        audit_events=manifest.audit_events,
        audit_head=manifest.audit_head,
        audit_broken=broken,
        people=manifest.people,
    )
