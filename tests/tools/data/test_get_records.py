from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.errors import NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_pages_follow_one_another_to_the_end(queued: "Desk") -> None:
    seen, after = [], 0
    while after is not None:
        page = queued("get_records", after=after, limit=7)
        seen += [row.id for row in page.rows]
        after = page.next
    assert seen == list(range(1, 19))
    assert page.total == 18


def test_records_can_be_searched_by_their_text_literally(queued: "Desk") -> None:
    page = queued("get_records", contains="INVOICE")
    assert page.total == len(page.rows) == 3
    assert queued("get_records", contains="%").rows == []


def test_a_long_text_is_cut(desk: "Desk", tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("word " * 1000, encoding="utf-8")
    desk("import_files", path=str(path))
    assert len(desk("get_records").rows[0].text) == 2002


def test_an_unknown_source_is_answered_with_the_sources(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="Sources: tickets"):
        queued("get_records", source="ticket")


def test_a_viewer_does_not_see_data(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="labeler"):
        queued.as_("vera", "viewer")("get_records")
