"""Two processes, one SQLite file: one has it open, and the others hand their calls over or are told who."""

import contextlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from databits import local_api
from databits.actor import Actor
from databits.errors import Cancelled, Conflict, NotFound, Unavailable
from databits.owner import PATIENCE, Ownership
from databits.platforms.embedded import Embedded
from databits.remote import FILE, Gone, Remote, announce, fingerprint, refusal, serving
from databits.settings import Settings
from databits.workspace import Workspace, make_way

ANA = Actor("ana", "admin", "test", person=True)
OTHER = """
import json, sys, threading
from pathlib import Path
from databits.actor import Actor
from databits.operation import load_catalogue
from databits.settings import Settings
from databits.workspace import Workspace

load_catalogue()
settings = Settings(home=Path(sys.argv[1]), user="other")
me = Workspace(settings, stays=sys.argv[2] == "stays")
for line in sys.stdin:
    name, arguments = json.loads(line)
    if name == "close":
        me.close()
        print("closed", flush=True)
        continue
    try:
        print(me.run(name, arguments, Actor("other", "admin", "test")).model_dump_json(), flush=True)
    except Exception as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error)}), flush=True)
"""


SLOWLY = """
import sys, time
from pathlib import Path
from databits import workbench

connect, folder = workbench.connect, Path(sys.argv[1]).parent

def when_told(settings):
    (folder / "opening").touch()
    while not (folder / "go on").exists():
        time.sleep(0.02)
    return connect(settings)

workbench.connect = when_told
"""


class Other:
    """A process of its own with the same workspace."""

    def __init__(self, home: Path, *, stays: bool, before: str = "") -> None:
        code = before + OTHER
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, str(home), "stays" if stays else "goes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, name: str, /, **arguments: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([name, arguments]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line.startswith("{") else line.strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home, user="ana")


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    made = Workspace(settings)
    yield made
    made.close()


@contextlib.contextmanager
def another(home: Path, *, stays: bool, before: str = "") -> Iterator[Other]:
    made = Other(home, stays=stays, before=before)
    try:
        yield made
    finally:
        made.kill()


def databits_in(workspace: Workspace) -> list[str]:
    rows = workspace.run("list_databits", {}, ANA).rows  # type: ignore[attr-defined]
    return sorted(row.name for row in rows)


def create(workspace: Workspace, name: str) -> Any:
    return workspace.run("create_databit", {"name": name, "labels": ["a", "b"]}, ANA)


def test_a_call_is_handed_to_the_process_that_stays(home: Path, workspace: Workspace) -> None:
    with another(home, stays=True) as other:
        other("create_databit", name="theirs", labels=["a", "b"])
        found = serving(home)
        assert found is not None
        assert (found.pid, found.yields) == (other.process.pid, True)
        create(workspace, "mine")
        assert databits_in(workspace) == ["mine", "theirs"]
        assert len(other("list_databits")["rows"]) == 2
        assert workspace._here is None, "it was not opened here"
        with pytest.raises(NotFound, match="mine"):
            workspace.run("list_items", {"databit": "none"}, ANA)


def test_when_that_process_ends_or_is_killed_the_next_call_opens_the_workspace(
    home: Path, workspace: Workspace
) -> None:
    with another(home, stays=True) as other:
        other("create_databit", name="theirs", labels=["a", "b"])
        assert databits_in(workspace) == ["theirs"]
        other("close")
        assert serving(home) is None
        create(workspace, "mine")
        assert workspace._here is not None
        workspace.close()
        assert len(other("list_databits")["rows"]) == 2
        assert databits_in(workspace) == ["mine", "theirs"]
    assert databits_in(workspace) == ["mine", "theirs"]
    assert workspace._here is not None


@pytest.mark.slow
def test_a_process_that_answers_nobody_is_waited_for_and_then_named(
    home: Path, workspace: Workspace
) -> None:
    with another(home, stays=False) as other:
        other("create_databit", name="theirs", labels=["a", "b"])
        begun = time.monotonic()
        with pytest.raises(Conflict, match=f"process {other.process.pid} ") as told:
            databits_in(workspace)
        assert PATIENCE <= time.monotonic() - begun < 120
        assert "DATABITS_DATABASE_URL" in str(told.value)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(databits_in, workspace)
            time.sleep(0.5)
            other("close")
            assert waiting.result() == ["theirs"]


@pytest.mark.slow
def test_a_process_that_is_still_opening_the_workspace_is_waited_for(
    home: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cold disk that takes longer than anybody waits for a process that answers nobody."""
    for patience in ("PATIENCE", "_STEP_BACK"):
        monkeypatch.setattr(f"databits.workspace.{patience}", 0.1)
    with another(home, stays=True, before=SLOWLY) as other, ThreadPoolExecutor(2) as pool:
        try:
            theirs = pool.submit(other, "list_databits")
            while not (home.parent / "opening").exists():
                time.sleep(0.02)
            mine = pool.submit(databits_in, workspace)
            with pytest.raises(TimeoutError):
                mine.result(1)
        finally:
            (home.parent / "go on").touch()
        assert mine.result() == []
        assert theirs.result()["total"] == 0
        assert workspace._here is None, "it was not opened here"


def test_a_workspace_that_can_not_be_opened_is_announced_to_nobody(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Settings) -> Any:
        raise Conflict("This database is from a newer version.")

    page = Workspace(settings, stays=True)
    with monkeypatch.context() as broken:
        broken.setattr("databits.workbench.connect", fail)
        for _ in range(2):
            with pytest.raises(Conflict, match="newer"):
                databits_in(page)
            assert not (home / FILE).exists()
            assert not page._ownership._mine, "whoever comes next finds out for themself"
    assert databits_in(page) == []
    assert serving(home) is not None
    page.close()


@pytest.mark.slow
def test_a_workbench_of_its_own_is_refused_beside_another_process(
    home: Path, settings: Settings
) -> None:
    mine = Embedded(settings)
    with another(home, stays=True) as other:
        other("create_databit", name="theirs", labels=["a", "b"])
        with pytest.raises(Conflict, match="open in another process"):
            mine.run("list_databits", {}, ANA)
        with pytest.raises(Conflict, match="open in another process"):
            mine.propose("bulk_label", {"databit": "theirs"}, ANA)
    assert mine.run("list_databits", {}, ANA).model_dump()["total"] == 1
    mine.database.close()


def test_the_page_gets_the_workspace_from_a_server_that_only_serves_an_ide(
    home: Path, settings: Settings
) -> None:
    with another(home, stays=True) as other:
        other("create_databit", name="theirs", labels=["a", "b"])
        ownership = make_way(settings)
        page = Workspace(settings, stays=True)
        create(page, "mine")
        assert page._here is not None
        listed = other("list_databits")
        assert {row["name"] for row in listed["rows"]} == {"mine", "theirs"}
        found = serving(home)
        assert found is not None
        assert found.pid == os.getpid()
        page.close()
        ownership.release()
        assert len(other("list_databits")["rows"]) == 2
        found = serving(home)
        assert found is not None
        assert found.pid == other.process.pid


@pytest.mark.slow
def test_calls_of_many_are_all_performed_once_while_the_workspace_changes_hands(
    home: Path, settings: Settings, workspace: Workspace
) -> None:
    with another(home, stays=True) as first, another(home, stays=True) as second:

        def make(n: int) -> None:
            who = (first, second)[n % 2]
            made = who("create_databit", name=f"databit-{n}", labels=["a", "b"])
            assert "error" not in made, made

        def call(of: int) -> None:
            for n in range(of, 40, 2):
                make(n)

        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(call, of) for of in (0, 1)]
            for _ in range(3):
                time.sleep(0.2)
                server = serving(home)
                if server is not None:
                    with contextlib.suppress(Gone):
                        Remote(server).hand_over()
            for done in calls:
                done.result()
    assert workspace.run("list_databits", {}, ANA).model_dump()["total"] == 40
    assert workspace.run("verify_audit", {}, ANA).intact  # type: ignore[attr-defined]


def test_what_a_dead_server_left_behind_stops_nobody(
    home: Path, settings: Settings, workspace: Workspace
) -> None:
    home.mkdir()
    # Its port was given to something else, which answers, and does not know the secret.
    impostor = Workspace(Settings(home=home / "other"), stays=True)
    impostor.run("list_databits", {}, ANA)
    other = serving(home / "other")
    assert other is not None
    left = other._replace(token="old", database=fingerprint(settings))
    (home / FILE).write_text(json.dumps(left._asdict()), encoding="utf-8")
    assert serving(home) == left
    create(workspace, "mine")
    assert workspace._here is not None
    impostor.close()


def test_a_server_on_another_database_of_the_same_folder_is_not_asked(
    home: Path, settings: Settings, tmp_path: Path
) -> None:
    elsewhere = Settings(home=home, database_url=f"sqlite:///{tmp_path / 'other.db'}")
    first, second = Workspace(settings, stays=True), Workspace(elsewhere)
    create(first, "mine")
    assert databits_in(second) == []
    first.close()
    second.close()


def test_a_process_that_is_too_old_for_the_workspace_makes_way_and_leaves_it_alone(
    settings: Settings, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    create(workspace, "first")
    workspace.close()
    with contextlib.closing(sqlite3.connect(settings.home / "workbench.db")) as newer, newer:
        newer.execute("INSERT INTO migrations VALUES (9999, 'of a later version', 0)")
    old = Workspace(settings, stays=True)
    with pytest.raises(Conflict, match="Upgrade"):
        databits_in(old)
    until = time.monotonic() + PATIENCE
    while "databits-workers" in {thread.name for thread in threading.enumerate()}:
        assert time.monotonic() < until, "it looks for runs again and again"
        time.sleep(0.01)
    assert not caplog.records
    make_way(settings).release()
    assert serving(settings.home) is None


def test_an_owner_that_nobody_could_reach_lets_go_and_the_next_call_begins_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError("no space left for server.json")

    first, other = Workspace(settings, stays=True), Ownership(settings.url)
    with monkeypatch.context() as patch:
        patch.setattr("databits.local_api.announce", full)
        with pytest.raises(OSError, match="no space"):
            databits_in(first)
    assert first._here is None
    assert databits_in(first) == []
    assert serving(settings.home) is not None
    first.close()
    other.take(patience=0)
    other.release()


def test_a_name_for_the_database_tells_no_secret() -> None:
    url = "postgresql+psycopg://ana:hunter2@db.example/work"
    name = fingerprint(Settings(database_url=url))
    assert len(name) == 16
    assert "hunter2" not in name


@pytest.mark.slow
def test_in_one_process_a_workspace_may_be_open_twice(home: Path, settings: Settings) -> None:
    first, second = Embedded(settings), Embedded(settings)
    first.run("create_databit", {"name": "a", "labels": ["x", "y"]}, ANA)
    assert second.run("list_databits", {}, ANA).model_dump()["total"] == 1
    first.database.close()
    with another(home, stays=False) as other:
        assert other("list_databits")["error"] == "Conflict", "the second still has it open"
        second.database.close()
        assert other("list_databits")["total"] == 1


@pytest.mark.slow
def test_a_forked_child_holds_no_lock_that_its_parent_let_go(settings: Settings) -> None:
    mine = Ownership(settings.url)
    mine.take()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        os.read(reading, 1)  # until the parent closes its end, or dies
        os._exit(0)
    os.close(reading)
    mine.release()
    try:
        with another(settings.home, stays=False) as other:
            assert other("list_databits")["total"] == 0
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "it lived all the while"
    finally:
        os.close(writing)
        os.waitpid(child, 0)


def test_nothing_is_locked_on_postgresql() -> None:
    ownership = Ownership("postgresql+psycopg://ana@db.example/work")
    ownership.take(patience=0)
    ownership.release()


def test_only_the_process_itself_takes_its_address_back(home: Path, settings: Settings) -> None:
    home.mkdir()
    mine = announce(settings)
    theirs = mine._replace(pid=mine.pid + 1)
    (home / FILE).write_text(json.dumps(theirs._asdict()), encoding="utf-8")
    page = Workspace(settings, stays=True)
    page.close()
    assert (home / FILE).exists()


@pytest.mark.parametrize(
    ("path", "body", "phrase"),
    [
        ("run", b"{", "malformed"),
        ("run", b"[1]", "malformed"),
        ("run", b"{}", "malformed"),
        ("dance", b"{}", "no such call"),
    ],
)
def test_a_malformed_call_is_refused(
    settings: Settings, path: str, body: bytes, phrase: str
) -> None:
    page = Workspace(settings, stays=True)
    databits_in(page)
    server = serving(settings.home)
    assert server is not None
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("POST", f"/local/{path}", body, {"Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    assert phrase in json.loads(answer.read())["error"]["text"]
    connection.close()
    connection.request("GET", "/server.json")
    assert connection.getresponse().status == 404
    connection.close()
    wrong = Remote(server._replace(token="ünknown"))
    with pytest.raises(Unavailable, match="once more"):
        wrong.run("list_databits", {}, ANA)
    page.close()


def test_a_burst_of_calls_waits_its_turn(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An IDE's agents start at once; whoever is not yet accepted waits, and is not turned away."""
    take_up = local_api._Http.process_request

    def slowly(self: Any, *accepted: Any) -> None:
        time.sleep(0.02)
        take_up(self, *accepted)

    monkeypatch.setattr(local_api._Http, "process_request", slowly)
    page = Workspace(settings, stays=True)
    databits_in(page)
    server = serving(settings.home)
    assert server is not None
    with ThreadPoolExecutor(40) as pool:
        pulses = list(pool.map(lambda _: Remote(server).pulse(), range(40)))
    assert set(pulses) == {page.pulse()}
    page.close()


@pytest.mark.parametrize("gone", ["before the answer", "before the steps"])
def test_a_caller_that_leaves_prints_nothing(
    settings: Settings,
    gone: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Standard error is what the IDE shows of its server: a call cancelled elsewhere is no fault of it."""
    ended, left = Event(), Event()

    def last(self: Workspace, verb: str, body: dict[str, Any], progress: Any) -> dict[str, Any]:
        left.wait(60)
        try:
            for step in range(1000 if gone == "before the steps" else 0):
                progress(step, "x" * 1000)
        except Cancelled as error:
            return refusal(error)
        return {"kind": "pulse", "data": "x" * 10_000_000}

    finish = local_api._Http.shutdown_request

    def and_tell(self: Any, request: Any) -> None:
        finish(self, request)
        ended.set()

    monkeypatch.setattr(Workspace, "answer", last)
    page = Workspace(settings, stays=True)
    databits_in(page)
    server = serving(settings.home)
    assert server is not None
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    monkeypatch.setattr(local_api._Http, "shutdown_request", and_tell)
    connection.request("POST", "/local/pulse", b"{}", {"Authorization": f"Bearer {server.token}"})
    connection.close()
    left.set()
    assert ended.wait(60)
    page.close()
    assert capsys.readouterr().err == ""
