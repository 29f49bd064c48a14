from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_an_endpoint_has_the_models_that_it_served(production: "Desk") -> None:
    desk = production("get_asset", asset="endpoint:desk")
    assert [(v.asset, v.until) for v in desk.versions] == [("model:support@1", None)]
    assert desk.production is True
    production("deploy_model", model="support@1", endpoint="second")
    model = production("get_asset", asset="model:support@1")
    assert model.used_by == ["endpoint:desk", "endpoint:second"]
    assert model.versions[0].owner == "ana"


@pytest.mark.both_databases
def test_a_databit_and_a_dataset_have_their_versions(assembled: "Desk") -> None:
    databit = assembled("get_asset", asset="databit:support")
    assert [v.asset for v in databit.versions] == ["databit:support@1.0.0"]
    assert (databit.owner, databit.used_by) == ("ana", ["dataset:support@1"])
    assembled("assemble_dataset", databit="support", seed=7)
    dataset = assembled("get_asset", asset="dataset:support@1")
    assert [v.asset for v in dataset.versions] == ["dataset:support@2", "dataset:support@1"]
    assert len(dataset.sha256) == 64


@pytest.mark.both_databases
def test_what_is_not_there_or_no_asset_is_told(queued: "Desk") -> None:
    for ref in ("tool:shop/look", "tool:shop", "tool:shop/look@9", "model:none", "endpoint:none"):
        with pytest.raises(NotFound):
            queued("get_asset", asset=ref)
    with pytest.raises(Invalid, match="Assets are of the kinds"):
        queued("get_asset", asset="item:1")
