from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_sources_are_listed_oldest_first_with_their_sizes(desk: "Desk", tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.txt").write_text(name, encoding="utf-8")
        desk("import_files", path=str(tmp_path / f"{name}.txt"))
    first = desk("list_sources", limit=2)
    assert [(row.name, row.records) for row in first.rows] == [("one", 1), ("two", 1)]
    assert first.total == 3
    assert [row.name for row in desk("list_sources", after=first.next).rows] == ["three"]


def test_an_empty_workspace_has_none(desk: "Desk") -> None:
    page = desk.as_("vera", "viewer")("list_sources")
    assert (page.rows, page.total, page.next) == ([], 0, None)
