"""`databits person` and `databits token`: the whole command, on a workspace of its own."""

import io
import json
import re
from pathlib import Path

import pytest

from databits.identity import bearer, sign_in
from databits.settings import Settings
from databits.workbench import connect
from ui.cli import main

PASSWORD = "correct horse"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABITS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABITS_USER", "ana")
    return tmp_path / "home"


def test_a_person_is_added_and_signs_in_with_the_password_that_was_piped(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["person", "add", "lena", "--role", "labeler", "--password"]) == 0
    assert main(["person", "list", "--json"]) == 0
    said = capsys.readouterr().out
    assert PASSWORD not in said
    (row,) = json.loads(said[said.index('{\n  "rows"') :])["rows"]
    assert (row["name"], row["password"], row["grants"][0]["role"]) == ("lena", True, "labeler")
    workbench = connect(Settings())
    assert sign_in(workbench, "lena", PASSWORD).name == "lena"
    workbench.database.close()


def test_a_password_is_asked_for_twice_at_a_terminal(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["person", "add", "lena"]) == 0
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = iter([PASSWORD, "another horse", PASSWORD, PASSWORD])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    assert main(["person", "password", "lena"]) == 1
    assert "not the same" in capsys.readouterr().err
    assert main(["person", "password", "lena"]) == 0


def test_no_command_takes_a_password_as_a_word(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["set_password", "--person", "lena", "--password", PASSWORD],
        ["person", "password", "lena", PASSWORD],
        ["person", "add", "lena", "--password", PASSWORD],
    ):
        with pytest.raises(SystemExit) as refused:
            main(words)
        assert refused.value.code == 2
    assert not (home / "workbench.db").exists()


def test_roles_are_granted_taken_back_and_people_disabled(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["person", "add", "lena"],
        ["create_databit", "--name", "support", "--labels", "a,b"],
        ["person", "grant", "lena", "reviewer", "--databit", "support"],
        ["person", "grant", "lena", "viewer"],
        ["person", "disable", "lena"],
        ["person", "enable", "lena"],
        ["person", "revoke", "lena"],
    ):
        assert main(words) == 0, words
    capsys.readouterr()
    assert main(["person", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["grants"] == [{"role": "reviewer", "databit": "support"}]
    assert not row["disabled"]


def test_a_token_is_made_listed_and_revoked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "token",
        "create",
        "ci",
        "--role",
        "reviewer",
        "--toolsets",
        "curate,registry",
        "--days",
        "7",
    ]
    assert main(words) == 0
    secret = re.search(r"dbw_[\w-]{43}", capsys.readouterr().out)
    assert secret is not None
    workbench = connect(Settings())
    actor, toolsets = bearer(workbench, secret[0], "mcp")
    workbench.database.close()
    assert (actor.name, actor.limit, toolsets) == ("ana", "reviewer", ("curate", "registry"))
    assert main(["token", "list"]) == 0
    assert secret[0] not in capsys.readouterr().out
    assert main(["token", "revoke", "1"]) == 0
    assert main(["token", "revoke", "1"]) == 1
    assert "revoked already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["person", "add", "lena", "--role", "labeler"],
        ["list_people"],
        ["grant_role", "--person", "nobody", "--role", "viewer"],
        ["job", "assemble_dataset", "--arguments", '{"databit": "none"}'],
    ],
    ids=["a write", "a read", "a refusal", "a job"],
)
def test_a_command_leaves_the_workspace_whole_in_its_one_file(home: Path, words: list[str]) -> None:
    main(words)
    beside = [path.name for path in home.glob("workbench.db-*")]
    assert beside == [], "SQLite's log holds what a copy of the file alone would miss"
    assert (home / "workbench.db").stat().st_size
