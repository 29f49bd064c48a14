from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_databits_are_listed_oldest_first_with_their_progress(labelled: "Desk") -> None:
    labelled("create_databit", name="urgency", labels=["now", "later"])
    page = labelled.as_("vera", "viewer")("list_databits", limit=1)
    assert [(d.name, d.items, d.approved) for d in page.rows] == [("support", 18, 18)]
    assert page.total == 2
    rest = labelled("list_databits", after=page.next)
    assert [(d.name, d.items) for d in rest.rows] == [("urgency", 0)]
