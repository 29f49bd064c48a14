"""An evidence pack is checked with Python alone, and shows when anything in it was touched."""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databits import verify_evidence
from databits.errors import Invalid, NotAllowed, NotFound
from databits.store.audit import link

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases
SCRIPT = Path(verify_evidence.__file__)
SECRET = "The parcel of Mrs Miller is lost"
Rows = list[dict[str, Any]]


@pytest.fixture
def told(assembled: "Desk", tmp_path: Path) -> "Desk":
    """`assembled` anew with two more items, one decided twice, and changes undone and done again."""
    path = tmp_path / "private.jsonl"
    path.write_text(json.dumps({"text": SECRET, "customer": "M-77"}) + "\n", encoding="utf-8")
    assembled("import_files", path=str(path))
    assembled("queue_items", databit="support", source="private")
    [item] = assembled("list_items", databit="support", state="open").rows
    label = {"databit": "support", "items": [item.id], "reason": "She called"}
    assembled("correct_labels", **label, label="login")
    undone = assembled("correct_labels", **label, label="shipping").change_id
    assembled("undo_change", change=assembled("undo_change", change=undone).change_id)
    assembled("assemble_dataset", databit="support")
    return assembled


def run(*arguments: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """The script as an auditor runs it: a bare Python, no packages, no environment."""
    return subprocess.run(
        [sys.executable, "-I", "-S", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={},
        check=False,
    )


def unpacked(pack: str, folder: Path) -> Path:
    with zipfile.ZipFile(pack) as opened:
        opened.extractall(folder)
    return folder


def rows(folder: Path, name: str) -> Rows:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]


def sealed(folder: Path) -> None:
    """Make manifest and seal agree with the files again, as who forges a pack would."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        manifest["files"][name] = {"bytes": len(content), "sha256": sha256}
    raw = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(raw)
    (folder / "manifest.sha256").write_text(
        hashlib.sha256(raw).hexdigest() + "\n", encoding="utf-8"
    )


@pytest.mark.parametrize("texts", [False, True])
def test_the_copy_in_the_pack_verifies_it_outside_the_workbench(
    told: "Desk", tmp_path: Path, texts: bool
) -> None:
    made = told("export_evidence", asset="dataset:support@2", texts=texts)
    folder = unpacked(made.path, tmp_path / "auditor")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(made.path, elsewhere / "pack.zip")
    for pack in (folder, elsewhere / "pack.zip"):
        done = run(folder / "verify_evidence.py", pack, made.manifest_sha256, cwd=elsewhere)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "The evidence for dataset:support@2 holds." in done.stdout
        assert ("made again" in done.stdout) == texts
    assert hashlib.sha256(Path(made.path).read_bytes()).hexdigest() == made.sha256
    assert made.audit_head == rows(folder, "audit")[-1]["hash"]
    assert (folder / "verify_evidence.py").read_bytes() == SCRIPT.read_bytes()
    assert "verify_evidence.py" in made.check


def test_the_pack_tells_who_decided_what_and_where_it_came_from(
    told: "Desk", tmp_path: Path
) -> None:
    folder = unpacked(told("export_evidence", asset="dataset:support@2").path, tmp_path / "a")
    assert [row["name"] for row in rows(folder, "sources")] == ["tickets", "private"]
    assert rows(folder, "records")[-1]["origin"] == {"file": "private.jsonl", "line": 1}
    last = rows(folder, "labels")[-1]
    assert (last["actor"], last["surface"], last["label"]) == ("ana", "test", "shipping")
    by_change = {row["change_id"]: row for row in rows(folder, "audit") if row["change_id"]}
    assert by_change[last["change_id"]]["operation"] == "correct_labels", "not the undo of its undo"
    assert {by_change[row["change_id"]]["operation"] for row in rows(folder, "records")} == {
        "import_files"
    }


def test_texts_leave_only_when_they_are_asked_for(told: "Desk", tmp_path: Path) -> None:
    for texts in (False, True):
        made = told("export_evidence", asset="dataset:support@2", texts=texts)
        folder = unpacked(made.path, tmp_path / str(texts))
        held = b"".join(p.read_bytes() for p in folder.iterdir())
        for words in (SECRET, "M-77", "She called"):
            assert (words.encode() in held) == texts, words


def test_other_assets_are_refused_and_leave_no_file(told: "Desk") -> None:
    with pytest.raises(Invalid, match="endpoint, a model or a dataset"):
        told("export_evidence", asset="item:1")
    with pytest.raises(NotFound, match="no such dataset"):
        told("export_evidence", asset="dataset:support@9")
    with pytest.raises(NotAllowed, match="role reviewer"):
        told.as_("lea", "labeler")("export_evidence", asset="dataset:support@2")
    folder = told.workbench.settings.home / "evidence"
    assert not folder.exists() or not list(folder.iterdir())


FORGED: dict[str, tuple[str, Callable[[Rows], Any], str]] = {
    "a decision of somebody else": ("labels", lambda r: r[3].update(actor="eve"), "another person"),
    "another surface": ("labels", lambda r: r[3].update(surface="chat"), "another person or surface"),
    "a change that never was": ("labels", lambda r: r[3].update(change_id=999), "no event"),
    "a row without a change": ("items", lambda r: r[3].update(change_id=None), "no event"),
    "a record gone": ("records", lambda r: r.pop(), "rests on one of records"),
    "a dataset row gone": ("dataset_rows", lambda r: r.pop(), "rows are missing"),
    "a label exchanged": ("dataset_rows", lambda r: r[0].update(label="x"), "content hash"),
    "a text exchanged": ("records", lambda r: r[0].update(text="x"), "record 1 is not"),
    "a dataset's recipe": ("datasets", lambda r: r[0]["recipe"].update(seed=7), "content hash"),
    "an audit event gone": ("audit", lambda r: r.pop(4), "broken at event 5"),
    "an audit event changed": ("audit", lambda r: r[4].update(actor="eve"), "broken at event 5"),
    "the newest event cut off": ("audit", lambda r: r.pop(), "ends elsewhere"),
    "audit events in another order": ("audit", lambda r: r.reverse(), "broken at event 1"),
}  # fmt: skip


def test_a_forged_row_is_found_even_where_every_hash_of_a_file_was_made_again(
    told: "Desk", tmp_path: Path
) -> None:
    made = told("export_evidence", asset="dataset:support@2", texts=True)
    for number, (name, (file, forge, expected)) in enumerate(FORGED.items()):
        folder = unpacked(made.path, tmp_path / str(number))
        content = rows(folder, file)
        forge(content)
        lines = "".join(json.dumps(row) + "\n" for row in content)
        (folder / f"{file}.jsonl").write_text(lines, encoding="utf-8")
        assert verify_evidence.main(str(folder)) == 1, "the files are not those of the manifest"
        sealed(folder)
        done = run(SCRIPT, folder, cwd=tmp_path)
        assert done.returncode == 1, name
        assert expected in done.stdout, name
        assert verify_evidence.main(str(folder), made.manifest_sha256) == 1


def test_a_file_added_or_taken_away_is_found(told: "Desk", tmp_path: Path) -> None:
    made = told("export_evidence", asset="dataset:support@2")
    folder = unpacked(made.path, tmp_path / "a")
    (folder / "more.txt").write_text("", encoding="utf-8")
    assert verify_evidence.main(str(folder)) == 1
    (folder / "more.txt").unlink()
    assert verify_evidence.main(str(folder)) == 0
    (folder / "models.jsonl").unlink()
    assert verify_evidence.main(str(folder)) == 1
    assert verify_evidence.main(str(tmp_path / "nowhere")) == 1


def test_any_flipped_byte_of_any_file_is_found(told: "Desk", tmp_path: Path) -> None:
    made = told("export_evidence", asset="dataset:support@2", texts=True)
    folder = unpacked(made.path, tmp_path / "a")
    files = sorted(path for path in folder.iterdir() if path.stat().st_size)
    assert {"audit.jsonl", "labels.jsonl", "manifest.json", "manifest.sha256", SCRIPT.name} <= {
        path.name for path in files
    }

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(files), st.integers(0), st.integers(1, 255))
    def flip(path: Path, place: int, mask: int) -> None:
        good = path.read_bytes()
        bad = bytearray(good)
        bad[place % len(bad)] ^= mask
        path.write_bytes(bad)
        try:
            assert verify_evidence.main(str(folder)) == 1
        finally:
            path.write_bytes(good)

    flip()
    assert verify_evidence.main(str(folder)) == 0


def test_a_flipped_byte_of_the_zip_is_found_or_changes_no_content(
    told: "Desk", tmp_path: Path
) -> None:
    made = told("export_evidence", asset="dataset:support@2", texts=True)
    good = Path(made.path).read_bytes()
    content = {p.name: p.read_bytes() for p in unpacked(made.path, tmp_path / "good").iterdir()}
    path = tmp_path / "bad.zip"

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(good) - 1), st.integers(1, 255))
    def flip(place: int, mask: int) -> None:
        bad = bytearray(good)
        bad[place] ^= mask
        path.write_bytes(bad)
        if verify_evidence.main(str(path)) == 0:
            with zipfile.ZipFile(path) as opened:
                assert {name: opened.read(name) for name in opened.namelist()} == content

    flip()


def test_the_script_hashes_events_as_the_workbench_does(told: "Desk", tmp_path: Path) -> None:
    folder = unpacked(told("export_evidence", asset="dataset:support@2").path, tmp_path / "a")
    events = rows(folder, "audit")
    assert [link(event) for event in events] == [event["hash"] for event in events]
    assert set(events[0]) >= {"trace_id", "arguments_sha256"}


def test_the_script_is_short_and_needs_only_python_3_9() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    assert len(source.splitlines()) <= 200
    imported = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)} | {
        alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names
    }
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names)
    done = run(SCRIPT, cwd=Path(os.sep))
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        2,
        (ast.get_docstring(tree) or "").splitlines()[0],
    )


@pytest.mark.slow
def test_an_endpoint_is_traced_through_approvals_models_and_their_files(
    production: "Desk", tmp_path: Path
) -> None:
    made = production("export_evidence", asset="endpoint:desk")
    folder = unpacked(made.path, tmp_path / "a")
    done = run(SCRIPT, folder, made.manifest_sha256, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    plans = rows(folder, "plans")
    assert [plan["operation"] for plan in plans] == ["launch_fine_tune", "deploy_model"]
    assert {(plan["asked_by"], plan["decided_by"]) for plan in plans} == {("ana", "ana")}
    assert any(file["path"].endswith("head.npz") for file in rows(folder, "model_files")), (
        "of the head"
    )
    assert rows(folder, "evaluations")[0]["result"]["accuracy"]
    assert rows(folder, "routes")[0]["share"] == 100
    forgeries: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
        (lambda plan: plan.update(decided_by="eve"), "approved it first"),
        (lambda plan: plan.update(asked_by="eve"), "asked for"),
        (lambda plan: plan["arguments"].update(seed=5), "digest"),
        (lambda plan: plan["preview"].update(summary="harmless"), "digest"),
        (lambda plan: plan.update(digest="0" * 64), "digest"),
        (lambda plan: plan.update(id=plan["id"] + 100), "asked for"),
    ]
    for forge, expected in forgeries:
        forged = json.loads(json.dumps(plans))
        forge(forged[0])
        lines = "".join(json.dumps(row) + "\n" for row in forged)
        (folder / "plans.jsonl").write_text(lines, encoding="utf-8")
        sealed(folder)
        done = run(SCRIPT, folder, cwd=tmp_path)
        assert done.returncode == 1
        assert expected in done.stdout
