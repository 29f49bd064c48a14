"""Long operations as they are typed."""

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from databits.store.tables import runs
from ui.board import Board
from ui.cli import main

if TYPE_CHECKING:
    from tests.conftest import Desk

ASSEMBLE = ["assemble_dataset", "--databit", "support", "--detach", "--json"]


@pytest.fixture
def typed(labelled: "Desk", monkeypatch: pytest.MonkeyPatch) -> "Desk":
    """The workspace that commands are typed in; no worker is started behind the test."""
    for name in [name for name in os.environ if name.startswith("DATABITS_")]:
        monkeypatch.delenv(name)
    home = labelled.workbench.settings.home
    monkeypatch.setenv("DATABITS_HOME", str(home))
    monkeypatch.setenv("DATABITS_USER", "ana")
    monkeypatch.chdir(home)
    monkeypatch.setattr("databits.platforms.embedded.jobs.Workers.submit", lambda *_: None)
    return labelled


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_command_with_a_key_is_one_run(typed: "Desk", capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASSEMBLE, "--key", "monday"]) == 0
    first = said(capsys)
    assert first["state"] == "queued"
    assert main([*ASSEMBLE, "--key", "monday"]) == 0
    assert said(capsys)["id"] == first["id"]
    assert main([*ASSEMBLE, "--seed", "5", "--key", "monday"]) == 1
    assert "Use a new key" in capsys.readouterr().err
    assert len(typed.rows(runs)) == 1


def test_a_scheduled_job_with_a_key_is_done_once(
    typed: "Desk", capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["job", "assemble_dataset", "--arguments", '{"databit": "support"}', "--key", "today"]
    assert main(words) == 0
    first = said(capsys)
    assert first["state"] == "succeeded"
    assert main(words) == 0
    assert said(capsys)["id"] == first["id"]
    assert typed.outcomes("assemble_dataset") == ["queued", "ok"]


def test_the_board_shows_the_log_and_the_attempt_of_a_run(labelled: "Desk") -> None:
    asked = {"databit": "support"}
    labelled.workbench.run("assemble_dataset", asked, labelled.actor)
    for worker in ("the first", "the second"):
        labelled.workbench.database.write(lambda store, name=worker: store.runs.take(name, -1))
    page = Board(labelled.workbench).page("support")
    assert "(attempt 2)" in page
    assert "started, attempt 1" in page
    assert "Log of run 1" in page
