from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_datasets_are_listed_oldest_first(assembled: "Desk") -> None:
    assembled("assemble_dataset", databit="support", seed=7)
    page = assembled.as_("vera", "viewer")("list_datasets", limit=1)
    assert [d.name for d in page.rows] == ["support@1"]
    assert page.total == 2
    assert [d.name for d in assembled("list_datasets", after=page.next).rows] == ["support@2"]
