"""A workspace with work in it, and the server over it as hosts reach it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.conftest import TICKETS, MakeDesk
from tests.ui.test_app import free_port

COMMAND = Path(sys.executable).with_name("databits")
OPEN = 4
"""Items of each Databit that nobody has decided; the rest are approved under their right label."""


class Place(NamedTuple):
    """One client's work: its Databit in the workspace of a folder, and the server, if one runs."""

    home: Path
    databit: str
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DATABITS_HOME": str(self.home), "DATABITS_USER": "ana"}

    def approve(self, plan: int) -> None:
        """What a person does elsewhere with a plan that the client could not ask about."""
        words = [COMMAND, "approve", str(plan)]
        subprocess.run(words, env=self.environment, check=True, capture_output=True, timeout=240)


# A client in another language or process must not see another's work: each has a Databit.
OVER_HTTP = ("ts_v1", "ts_v2", "ts_v2_modern", "fastmcp", "openai", "databricks", "inspector")
OVER_STDIO = "own"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, open_desk: MakeDesk) -> Path:
    """A closed workspace in which every client finds a Databit of its own, part of it labelled."""
    folder = tmp_path_factory.mktemp("clients")
    (folder / "home").mkdir()
    lines = ["text", *(f'"{text}"' for text, _ in TICKETS)]
    (folder / "tickets.csv").write_text("\n".join(lines), encoding="utf-8")
    desk = open_desk(folder / "home")
    desk("import_files", path=str(folder / "tickets.csv"))
    for name in (*OVER_HTTP, OVER_STDIO):
        desk("create_databit", name=name, labels=["billing", "login", "shipping"])
        desk("queue_items", databit=name, source="tickets")
        items = [item.id for item in desk("list_items", databit=name, limit=100).rows]
        right: dict[str, list[int]] = {}
        for item, (_, label) in list(zip(items, TICKETS, strict=True))[: len(TICKETS) - OPEN]:
            right.setdefault(label, []).append(item)
        for label, known in right.items():
            desk("correct_labels", databit=name, items=known, label=label)
    desk.workbench.database.close()
    return folder / "home"


@pytest.fixture
def place(prepared: Path, tmp_path: Path) -> Place:
    """A workspace of one's own, which the server that a host starts opens itself."""
    shutil.copytree(prepared, tmp_path / "home")
    return Place(tmp_path / "home", OVER_STDIO)


@pytest.fixture(scope="module")
def served(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """`databits up`, which the clients of a module share."""
    home, port = tmp_path_factory.mktemp("served") / "home", free_port()
    shutil.copytree(prepared, home)
    place = Place(home, "", f"http://127.0.0.1:{port}/mcp")
    server = subprocess.Popen([COMMAND, "up", "--port", str(port)], env=place.environment)
    try:
        _wait_until_up(port, server)
        yield place
    finally:
        server.terminate()
        server.wait(timeout=120)


def _wait_until_up(port: int, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended"
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=60).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError("the server did not come up")
