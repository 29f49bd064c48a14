from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_changes_are_listed_newest_first(queued: "Desk") -> None:
    page = queued.as_("vera", "viewer")("list_changes", limit=2)
    assert [c.operation for c in page.rows] == ["queue_items", "create_databit"]
    assert page.total == 3
    rest = queued("list_changes", after=page.next)
    assert [(c.id, c.operation, c.rows) for c in rest.rows] == [(1, "import_files", 19)]


def test_a_filter_narrows_the_list_and_its_total(queued: "Desk") -> None:
    queued.as_("lena", "labeler")("skip_items", databit="support", items=[1])
    page = queued("list_changes", actor="lena")
    assert [(c.operation, c.actor) for c in page.rows] == [("skip_items", "lena")]
    assert page.total == 1
    assert queued("list_changes", operation="import_files").total == 1
    assert queued("list_changes", actor="nobody").total == 0
