from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, Invalid, NotAllowed, NotFound
from databits.store.tables import records, sources

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

pytestmark = pytest.mark.both_databases


def test_a_table_becomes_a_source_with_a_record_a_row(desk: "Desk", tickets_csv: Path) -> None:
    made = desk("import_files", path=str(tickets_csv))
    assert (made.source, made.files, made.added, made.skipped) == ("tickets", 1, 18, 0)
    first = desk.rows(records)[0]
    assert first["text"] == "I was charged twice for my subscription this month"
    assert first["fields"] == {"topic": "billing"}
    assert first["origin"] == {"file": "tickets.csv", "line": 2}


def test_importing_again_adds_nothing(desk: "Desk", tickets_csv: Path) -> None:
    desk("import_files", path=str(tickets_csv))
    before = desk.state()
    again = desk("import_files", path=str(tickets_csv))
    assert (again.added, again.duplicates, again.change_id) == (0, 18, 0)
    assert desk.state() == before


def test_rows_that_are_new_join_the_source_they_are_named_for(desk: "Desk", tmp_path: Path) -> None:
    for name, text in (("a.txt", "one"), ("b.txt", "two")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        desk("import_files", path=str(tmp_path / name), source="notes")
    assert [row["name"] for row in desk.rows(sources)] == ["notes"]
    assert [row["text"] for row in desk.rows(records)] == ["one", "two"]


def test_a_folder_is_read_and_its_bad_file_reported_by_name(desk: "Desk", tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "good.txt").write_text("a good text", encoding="utf-8")
    (folder / "bad.xlsx").write_bytes(b"PK")
    made = desk("import_files", path=str(folder))
    assert (made.added, made.skipped, made.source) == (1, 1, "inbox")
    assert made.problems[0].file == "bad.xlsx"


def test_undo_takes_the_records_and_their_source_out(desk: "Desk", tickets_csv: Path) -> None:
    before = desk.state()
    made = desk("import_files", path=str(tickets_csv))
    desk("undo_change", change=made.change_id)
    assert desk.state() == before


def test_undo_is_refused_once_the_records_are_queued(queued: "Desk") -> None:
    with pytest.raises(Conflict, match=r"item 1, .*\(change 3, queue_items by ana\)"):
        queued("undo_change", change=1)


def test_a_path_that_is_not_there_is_answered_with_what_is(desk: "Desk", tickets_csv: Path) -> None:
    with pytest.raises(NotFound, match=r"tickets\.csv"):
        desk("import_files", path=str(tickets_csv.with_name("ticket.csv")))
    assert desk.rows(sources) == []


def test_an_unknown_column_is_answered_with_the_columns(desk: "Desk", tickets_csv: Path) -> None:
    with pytest.raises(Invalid, match="Columns: text, topic"):
        desk("import_files", path=str(tickets_csv), text_column="body")


def test_only_the_allowed_folders_are_read(
    open_desk: "MakeDesk", tmp_path: Path, tickets_csv: Path
) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    desk = open_desk(tmp_path / "home", roots=[allowed])
    with pytest.raises(NotAllowed, match="allowed"):
        desk("import_files", path=str(tickets_csv))
    assert desk.outcomes("import_files") == ["refused"]


def test_it_takes_an_engineer(desk: "Desk", tickets_csv: Path) -> None:
    with pytest.raises(NotAllowed, match="engineer"):
        desk.as_("rita", "reviewer")("import_files", path=str(tickets_csv))
    assert desk.rows(records) == []


def test_where_others_sign_in_only_uploads_and_named_folders_are_read(
    tmp_path: Path, open_desk: "MakeDesk", tickets_csv: Path
) -> None:
    shared = open_desk(tmp_path / "shared", require_sign_in=True)
    with pytest.raises(NotAllowed):
        shared("import_files", path=str(tickets_csv))
    uploads = tmp_path / "shared" / "uploads"
    uploads.mkdir(parents=True)
    (uploads / "mine.csv").write_bytes(tickets_csv.read_bytes())
    assert shared("import_files", path=str(uploads / "mine.csv")).added == 18
    named = open_desk(tmp_path / "named", require_sign_in=True, roots=[tmp_path])
    assert named("import_files", path=str(tickets_csv)).added == 18
