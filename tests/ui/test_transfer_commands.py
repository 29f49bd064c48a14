"""`databits export`, `import` and `verify`, as they are typed."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.owner import Ownership
from databits.remote import announce, withdraw
from databits.settings import Settings
from ui.cli import main

if TYPE_CHECKING:
    from tests.conftest import Desk


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Path":
    """The folder of the workspace that commands are typed in."""
    home = tmp_path / "typed"
    for name in [name for name in os.environ if name.startswith("DATABITS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABITS_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return home


def test_a_workspace_is_exported_and_imported_elsewhere(
    queued: "Desk",
    at: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    queued.workbench.database.close()
    archive = str(tmp_path / "all.zip")
    monkeypatch.setenv("DATABITS_HOME", str(queued.workbench.settings.home))
    assert main(["export", archive]) == 0
    said = capsys.readouterr()
    assert f"files to {archive}" in said.out
    assert "hashes of passwords and tokens" in said.out
    assert main(["export", archive]) == 1
    assert "Conflict: There is a file of that name already" in capsys.readouterr().err
    assert main(["import", archive]) == 1
    assert "DATABITS_HOME at a new folder" in capsys.readouterr().err
    monkeypatch.setenv("DATABITS_HOME", str(at))
    assert main(["import", archive]) == 0
    assert "every hash holds" in capsys.readouterr().out
    assert main(["queue_status", "--databit", "support"]) == 0
    assert "open: 18" in capsys.readouterr().out
    assert main(["verify_audit"]) == 0
    assert "intact: True" in capsys.readouterr().out


def test_without_people_says_nothing_of_secrets(
    at: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--without-people", str(tmp_path / "all.zip")]) == 0
    assert "passwords" not in capsys.readouterr().out


def test_moving_a_workspace_takes_an_admin(
    at: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABITS_ROLE", "engineer")
    for words in (["export", "all.zip"], ["import", "all.zip"]):
        assert main(words) == 1
        assert "takes the role admin; you are engineer" in capsys.readouterr().err
    assert not (tmp_path / "all.zip").exists()


def test_nothing_is_imported_beside_a_process_that_has_the_workspace(
    at: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["export", "all.zip"]) == 0
    monkeypatch.setattr("ui.transfer_commands.serving", lambda home: announce(Settings()))
    assert main(["import", "all.zip"]) == 1
    assert (
        f"A server is at work on this workspace (process {os.getpid()})" in capsys.readouterr().err
    )
    withdraw(Settings())
    monkeypatch.undo()


def test_an_import_owns_the_workspace_and_lets_go_of_it(at: Path, tmp_path: Path) -> None:
    assert main(["export", str(tmp_path / "all.zip")]) == 0
    shutil.rmtree(at)
    assert main(["import", str(tmp_path / "all.zip")]) == 0
    mine = Ownership(Settings().url)
    mine.take(patience=0)
    mine.release()


def test_a_pack_is_verified_as_the_script_does(
    labelled: "Desk", at: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled("assemble_dataset", databit="support")
    made = labelled("export_evidence", asset="dataset:support@1")
    assert main(["verify", made.path, made.manifest_sha256]) == 0
    assert "The evidence for dataset:support@1 holds." in capsys.readouterr().out
    assert main(["verify", made.path, "0" * 64]) == 1
    assert "BROKEN: the manifest is not the one whose hash you gave" in capsys.readouterr().out
    assert not at.exists(), "it takes no workspace"
