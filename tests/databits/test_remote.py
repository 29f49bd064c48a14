"""Two processes, one workspace: a call that is handed over ends as it would have here."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import DatabitsError, Invalid, NotAllowed, NotFound, Unavailable
from databits.local_api import answer
from databits.model import Planned, Run
from databits.remote import FILE, Gone, Remote, announce, serving, withdraw
from databits.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Desk


class Server(ThreadingHTTPServer):
    """What the serving process's routes do: check the secret, hand the call on."""

    desk: "Desk"
    token: str = ""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.reply({"status": "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        allowed = self.headers["Authorization"] == f"Bearer {self.server.token}"
        verb = self.path.rpartition("/")[2]
        found = answer(self.server.desk.workbench, verb, body) if allowed else {}
        self.reply(found, 200 if allowed else 401)

    def reply(self, found: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def remote(queued: "Desk") -> Iterator[Remote]:
    """A runner whose calls the workspace's own process performs."""
    server = Server(("127.0.0.1", 0), Handler)
    settings = queued.workbench.settings.model_copy(update={"port": server.server_port})
    server.desk, server.token = queued, announce(settings).token
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found = serving(settings.home)
    assert found is not None
    yield Remote(found)
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_result_is_the_same_as_here(queued: "Desk", remote: Remote) -> None:
    here = queued.workbench.run("list_items", {"databit": "support"}, queued.actor)
    assert remote.run("list_items", {"databit": "support"}, queued.actor) == here
    made = remote.run("skip_items", {"databit": "support", "items": [1]}, queued.actor)
    assert made.change_id == 4  # type: ignore[attr-defined]
    assert made.decided == [1]  # type: ignore[attr-defined]


def test_runs_and_plans_come_back_as_what_they_are(queued: "Desk", remote: Remote) -> None:
    run = remote.run("prelabel_items", {"databit": "support"}, queued.actor)
    assert isinstance(run, Run)
    asked = {"databit": "support", "verdict": "reject"}
    planned = remote.run("bulk_label", asked, queued.actor)
    assert isinstance(planned, Planned)
    assert remote.propose("bulk_label", asked, queued.actor) == planned.plan
    queued("decide_approval", plan=planned.plan.id, approve=True)
    done = remote.carry_out(planned.plan.id)
    assert done.decided == 18  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("list_items", {"databit": "other"}, NotFound),
        ("list_items", {"databit": "support", "limit": 0}, Invalid),
        ("no_such_thing", {}, NotFound),
        ("decide_approval", {"plan": 1, "approve": True}, NotAllowed),
    ],
)
def test_a_refusal_is_raised_as_what_it_is_with_its_words(
    queued: "Desk", remote: Remote, name: str, arguments: dict[str, Any], kind: type
) -> None:
    agent = queued.as_("ana", "admin", person=False).actor
    with pytest.raises(DatabitsError) as here:
        queued.workbench.run(name, arguments, agent)
    with pytest.raises(kind) as there:
        remote.run(name, arguments, agent)
    assert str(there.value) == str(here.value)


def test_only_five_calls_are_handed_over(queued: "Desk") -> None:
    found = answer(queued.workbench, "database", {})
    assert found["error"]["phrase"] == Invalid.phrase
    assert "carry_out, names, propose, pulse, run" in found["error"]["text"]


def test_a_wrong_secret_gets_nothing(queued: "Desk", remote: Remote) -> None:
    before = queued.state()
    stranger = Remote(remote.server._replace(token="guess"))
    with pytest.raises(Unavailable, match="once more"):
        stranger.run("skip_items", {"databit": "support", "items": [1]}, queued.actor)
    assert queued.state() == before


def test_the_address_is_for_its_user_only_and_can_be_withdrawn(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = announce(settings)
    second = announce(settings)
    assert first.token != second.token
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    withdraw(settings)
    withdraw(settings)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "left",
    [
        "",
        "{",
        "[]",
        '{"host": "127.0.0.1"}',
        json.dumps({"host": "127.0.0.1", "port": 1, "token": "x", "pid": os.getpid()}),
        json.dumps({"host": "127.0.0.1", "port": 1, "token": "x", "pid": 2**22 + 7}),
    ],
    ids=["empty", "cut off", "a list", "no port", "another program's process", "no process"],
)
def test_what_a_dead_server_left_behind_is_nobody_serving(tmp_path: Path, left: str) -> None:
    assert serving(tmp_path) is None
    (tmp_path / FILE).write_text(left, encoding="utf-8")
    assert serving(tmp_path) is None


def test_a_server_that_stopped_answering_says_what_to_look_at(
    queued: "Desk", remote: Remote
) -> None:
    gone = Remote(remote.server._replace(port=1))
    with pytest.raises(Gone, match="Call once more"):
        gone.run("list_databits", {}, queued.actor)
