"""Calls that other processes of this user hand over to the page's process, step by step."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from databits.errors import Cancelled, DatabitsError, NotFound
from databits.remote import Remote, Server
from databits.store.shapes import now
from tests.conftest import Desk
from ui.local import add_local_api


class Noting:
    """A workbench of which one sees how its calls ended."""

    def __init__(self, desk: Desk) -> None:
        self._workbench = desk.workbench
        self.ended: list[str] = []

    def run(self, *said: Any, **more: Any) -> Any:
        try:
            return self._workbench.run(*said, **more)
        except DatabitsError as error:
            self.ended.append(error.phrase)
            raise


@pytest.fixture
def noting(queued: Desk) -> Noting:
    return Noting(queued)


@pytest.fixture
def remote(noting: Noting) -> Iterator[Remote]:
    app = FastAPI()
    add_local_api(app, noting)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    app.state.server = Server("127.0.0.1", port, "secret", 0)
    yield Remote(app.state.server)
    server.should_exit = True
    thread.join()


@pytest.fixture
def run(queued: Desk) -> int:
    """A run that somebody works on."""

    def begin(store: Any) -> int:
        run = store.runs.add("prelabel_items", {}, {"name": "bo"}, None)
        store.runs.set(run, state="running", worker="elsewhere", lease_until=now() + 3_600_000_000)
        return int(run)

    return queued.workbench.database.write(begin)


def test_steps_arrive_while_the_call_goes_on(queued: Desk, remote: Remote, run: int) -> None:
    told: list[tuple[float, str]] = []

    def hear(done: float, message: str) -> None:
        told.append((done, message))
        values = {"progress": 0.5, "message": "half"}
        if done == 0.5:
            values = {"state": "succeeded", "progress": 1.0, "finished_at": now()}
        queued.workbench.database.write(lambda store: store.runs.set(run, **values))

    done: Any = remote.run("get_run", {"run": run, "wait_s": 30}, queued.actor, progress=hear)
    assert done.state == "succeeded"
    assert list(dict.fromkeys(told)) == [(0.0, "waiting for a worker"), (0.5, "half")]


def test_a_call_ends_when_whoever_asked_hangs_up(
    noting: Noting, queued: Desk, remote: Remote, run: int
) -> None:
    def cancel(done: float, message: str) -> None:
        raise Cancelled("The client cancelled the call.")

    began = time.monotonic()
    with pytest.raises(Cancelled):
        remote.run("get_run", {"run": run, "wait_s": 30}, queued.actor, progress=cancel)
    while not noting.ended and time.monotonic() - began < 25:
        time.sleep(0.01)
    assert noting.ended == ["Cancelled"]


def test_a_refusal_comes_as_the_last_line(queued: Desk, remote: Remote) -> None:
    with pytest.raises(NotFound, match="no run"):
        remote.run("get_run", {"run": 99}, queued.actor, progress=lambda done, message: None)
