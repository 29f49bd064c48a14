from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_models_are_listed_with_their_accuracy(production: "Desk") -> None:
    page = production.as_("vera", "viewer")("list_models")
    assert [(m.name, m.dataset) for m in page.rows] == [("support@1", "support@1")]
    assert page.rows[0].accuracy.value > 0.5
    assert (page.total, page.next) == (1, None)


def test_a_new_workspace_has_none(desk: "Desk") -> None:
    assert desk("list_models").rows == []
