"""The two databases to measure on: new ones, copies of one, and bare connections to it."""

import argparse
import contextlib
import itertools
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import psycopg

from benchmarks.postgres import server

_numbers = itertools.count(1)
# What the product sets: durable at commit, foreign keys held.
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")


class Databases(Protocol):
    """Where databases are made; all of them are gone when the benchmark ends."""

    name: str
    folder: Path

    def new(self) -> str:
        """The SQLAlchemy URL of a database that is not there yet, or is empty."""

    def copy(self, url: str) -> str:
        """The URL of a copy, settled on the disk; nobody may be connected to the original."""

    def drop(self, url: str) -> None: ...


class SQLite:
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new(self) -> str:
        return f"sqlite:///{self.folder / f'{next(_numbers)}.db'}"

    def copy(self, url: str) -> str:
        made = self.new()
        with contextlib.closing(bare(url)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(_path(url), _path(made))
        with contextlib.closing(bare(made)) as db:  # the copy is written out before it is used
            db.execute("BEGIN IMMEDIATE")
            db.execute("PRAGMA user_version=1")
            db.execute("COMMIT")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return made

    def drop(self, url: str) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{_path(url)}{end}").unlink(missing_ok=True)


class PostgreSQL:
    name = "postgresql"

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self._address = address

    def new(self) -> str:
        return self._create("")

    def copy(self, url: str) -> str:
        made = self._create(f" TEMPLATE {url.rpartition('/')[2]} STRATEGY FILE_COPY")
        with bare(made) as db:
            db.execute("CHECKPOINT")
        return made

    def drop(self, url: str) -> None:
        with self._admin() as db:
            db.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def _create(self, how: str) -> str:
        name = f"bench_{next(_numbers)}"
        with self._admin() as db:
            db.execute(f"CREATE DATABASE {name}{how}")
        return f"postgresql+psycopg://{self._address}/{name}"

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(f"postgresql://{self._address}/postgres", autocommit=True)


def bare(url: str) -> Any:
    """A driver's connection without SQLAlchemy, in autocommit, on either database."""
    return bare_sqlite(url) if url.startswith("sqlite") else bare_postgres(url)


def bare_sqlite(url: str) -> sqlite3.Connection:
    """A connection with the product's durability."""
    db = sqlite3.connect(_path(url), isolation_level=None, check_same_thread=False)
    for pragma in PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    return db


def bare_postgres(url: str) -> psycopg.Connection[Any]:
    """A connection that prepares what it runs a second time."""
    dsn = url.replace("postgresql+psycopg:", "postgresql:")
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=1)


@contextlib.contextmanager
def opened(names: str) -> Iterator[list[Databases]]:
    """The databases of a comma-separated list, in temporary folders."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="databits-bench-")))
        made: list[Databases] = []
        for name in names.split(","):
            if name == "sqlite":
                made.append(SQLite(folder))
            elif name == "postgresql":
                made.append(PostgreSQL(folder, stack.enter_context(server())))
            else:
                raise SystemExit(f"there is no database {name}: sqlite, postgresql")
        yield made


def arguments(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark can be told; from here on it ends in order when it is told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers stopped, folders gone
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--small", action="store_true", help="tiny sizes: whether it runs at all")
    return parser


def _path(url: str) -> str:
    return url.removeprefix("sqlite:///")
