"""The two databases that the store runs on, as fixtures: SQLite files, and a PostgreSQL server of our own.

A module marked `both_databases` runs every test that uses `workbench`, `desk`, `queued`, `labelled`
or `database_url` twice, once on each; the PostgreSQL half is marked slow.
"""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from databits.store.database import Database
from tests import needs

BACKENDS = ("sqlite", "postgresql")
_numbers = itertools.count(1)
NewDatabase = Callable[..., str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL, without a database, of a PostgreSQL server that this session starts and stops."""
    programs = needs.postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: see tests/needs.py")
    pytest.importorskip("psycopg")
    # PostgreSQL refuses to run as root, and whoever it runs as must reach its folder.
    folder = Path(tempfile.mkdtemp(prefix="databits-pg-", dir=os.path.realpath("/tmp")))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        try:
            shutil.chown(folder, "postgres")
        except LookupError:
            folder.rmdir()
            pytest.skip("there is no user `postgres` to run PostgreSQL as")
        who = {"user": "postgres"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **who}
    data = str(folder / "data")
    initdb = [programs / "initdb", "-D", data, "-U", "databits", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*initdb, "--no-sync"], check=True, **quiet)
    server, port = _started(programs, data, quiet)
    yield f"postgresql+psycopg://databits@127.0.0.1:{port}"
    server.send_signal(signal.SIGQUIT)  # at once: what it holds is thrown away
    server.wait(timeout=120)
    shutil.rmtree(folder)


def _started(
    programs: Path, data: str, quiet: dict[str, Any]
) -> "tuple[subprocess.Popen[bytes], int]":
    """The server, once it answers, and its port."""
    options = ("fsync=off", "max_connections=200", "shared_buffers=64MB")
    until = time.monotonic() + 240
    while time.monotonic() < until:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", data]
            + [part for option in options for part in ("-c", option)],
            **quiet,
        )
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        while server.poll() is None and time.monotonic() < until:  # else another has that port
            if subprocess.run(ready, check=False, **quiet).returncode == 0:
                return server, port
            time.sleep(0.05)
        server.kill()
        server.wait()
    raise AssertionError("PostgreSQL did not start")


@pytest.fixture(scope="session")
def new_postgres(postgres: str) -> Iterator[NewDatabase]:
    """Makes a new workspace database on the server, empty or like another one; returns its URL."""
    template = f"{postgres}/empty_workspace"
    admin = create_engine(f"{postgres}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as db:
        db.execute(text("CREATE DATABASE empty_workspace"))
    Database(template).close()

    def make(like: str = template) -> str:
        name = f"workspace_{next(_numbers)}"
        with admin.connect() as db:
            db.execute(text(f"CREATE DATABASE {name} TEMPLATE {like.rpartition('/')[2]}"))
        return f"{postgres}/{name}"

    yield make
    admin.dispose()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new workspace's SQLite file; making its tables takes longer than many a test."""
    path = tmp_path_factory.mktemp("empty") / "workbench.db"
    Database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Which database this test runs on."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def database_url(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path
) -> str:
    """The URL of a new, empty workspace on this test's database."""
    if backend == "postgresql":
        make: NewDatabase = request.getfixturevalue("new_postgres")
        return make()
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    shutil.copy(empty_database, home)
    return f"sqlite:///{home / 'workbench.db'}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The store alone, on a new, empty workspace."""
    made = Database(database_url)
    yield made
    with contextlib.suppress(Exception):
        made.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a module marked `both_databases` run once on each."""
    if "backend" in metafunc.fixturenames and metafunc.definition.get_closest_marker(
        "both_databases"
    ):
        both = [BACKENDS[0], pytest.param(BACKENDS[1], marks=pytest.mark.slow)]
        metafunc.parametrize("backend", both, indirect=True)
