from typing import TYPE_CHECKING

import pytest

from tests.tools.registry.test_register_tool import BUY, LOOK

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_production_is_one_call(production: "Desk") -> None:
    found = production("list_assets", production=True)
    assert [row.asset for row in found.rows] == [
        "endpoint:desk",
        "model:support@1",
        "dataset:support@1",
        "databit:support",
    ]
    assert {row.owner for row in found.rows} == {"ana"}
    assert all(row.production for row in found.rows)
    users = {row.asset: row.used_by for row in found.rows}
    assert users["model:support@1"] == ["endpoint:desk"]
    assert users["databit:support"] == ["dataset:support@1"]


@pytest.mark.slow
def test_what_is_not_deployed_is_not_in_production(production: "Desk") -> None:
    production("launch_fine_tune", dataset="support@1")
    production("create_databit", name="other", labels=["a", "b"])
    everything = {row.asset: row.production for row in production("list_assets").rows}
    assert everything["model:support@2"] is False
    assert everything["databit:other"] is False
    assert production("list_assets", production=True).total == 4


@pytest.mark.both_databases
def test_pages_go_from_kind_to_kind(assembled: "Desk") -> None:
    assembled("register_tool", server="shop", tools=[LOOK, BUY])
    whole = assembled("list_assets")
    assert [row.asset for row in whole.rows] == [
        "dataset:support@1",
        "databit:support",
        "tool:shop/look@1",
        "tool:shop/buy@1",
    ]
    assert whole.total == 4
    seen, after = [], 0
    while after is not None:
        page = assembled("list_assets", after=after, limit=1)
        assert page.total == 4
        seen += page.rows
        after = page.next
    assert seen == whole.rows
    assert assembled("list_assets", production=True).rows == []


@pytest.mark.both_databases
def test_a_viewer_sees_it_and_an_empty_workspace_has_nothing(desk: "Desk") -> None:
    vera = desk.as_("vera", "viewer")
    assert vera("list_assets").rows == []
    assert vera("list_assets", production=True).total == 0
