"""MLflow's SQLite file: copied as it is now, and told where its files lie.

MLflow keeps the absolute address of every run's and model's files. In a workspace that moves, those
addresses have to follow.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

from databits.errors import Invalid

EXPERIMENT = "databits"
_LOCATION = "SELECT artifact_location FROM experiments WHERE name = ?"
_MODEL = "SELECT storage_location, source FROM model_versions WHERE name = ? AND version = ?"


def folder_of(uri: str | None) -> Path | None:
    """The folder that a `file:` URI means; None for one that lies elsewhere, and for none."""
    found = urlparse(uri or "")
    return Path(unquote(found.path)) if found.scheme == "file" else None


def copy(source: Path, target: Path) -> None:
    """A consistent copy, also while MLflow writes."""
    with _open(source) as old, _open(target, write=True) as new:
        old.backup(new)


def root(path: Path) -> str | None:
    """The URI under which the files of the workbench's runs and models lie, if there were any."""
    with _open(path) as db:
        found = db.execute(_LOCATION, (EXPERIMENT,)).fetchone()
    return str(found[0]) if found else None


def model_folder(path: Path, name: str, version: int) -> str | None:
    """The URI of a registered model's files."""
    if not path.exists():
        return None
    with _open(path) as db:
        found = db.execute(_MODEL, (name, version)).fetchone()
    return (found[0] or found[1]) if found else None


def rebase(path: Path, old: str, new: str) -> int:
    """Let every address that lies under `old` lie under `new`; returns how many did."""
    size, moved = len(old), 0
    with _open(path, write=True) as db:
        db.execute(_LOCATION, (EXPERIMENT,))  # fails where there is no such table
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError
        for table, column in _texts(db):
            done = db.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                f"WHERE substr({column}, 1, ?) = ? AND substr({column}, ?, 1) IN ('', '/')",
                (new, size + 1, size, old, size + 1),
            )
            moved += done.rowcount
        db.commit()
    return moved


def _texts(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every (table, column) that holds text, quoted."""
    tables = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    found = []
    for (table,) in tables.fetchall():
        for _, column, kind, *_ in db.execute(f"PRAGMA table_info({_quoted(table)})"):
            if "CHAR" in kind.upper() or "TEXT" in kind.upper():
                found.append((_quoted(table), _quoted(column)))
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def _open(path: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """The file as a database; raises Invalid when it is damaged or was not written by MLflow."""
    mode = "rwc" if write else "ro"
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True)
        with contextlib.closing(db):
            db.execute("PRAGMA trusted_schema = OFF")  # a file from elsewhere may bring triggers
            yield db
    except sqlite3.Error:
        raise Invalid(
            "The file mlflow.db is damaged or was not written by MLflow. Nothing was moved."
        ) from None
