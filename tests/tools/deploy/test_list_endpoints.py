from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_endpoints_are_listed_with_their_model_and_traffic(production: "Desk") -> None:
    page = production.as_("vera", "viewer")("list_endpoints")
    assert [(e.name, e.model, e.requests) for e in page.rows] == [("desk", "support@1", 36)]
    assert (page.total, page.next) == (1, None)


def test_a_new_workspace_has_none(desk: "Desk") -> None:
    assert desk("list_endpoints").total == 0
