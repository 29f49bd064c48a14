from typing import TYPE_CHECKING

import pytest

from databits.errors import NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_it_shows_the_recipe_and_the_hash(assembled: "Desk") -> None:
    found = assembled.as_("vera", "viewer")("get_dataset", dataset="support@1")
    assert found.recipe["version"] == "1.0.0"
    assert found.recipe["seed"] == 0
    assert len(found.sha256) == 64
    assert found.rows == 18


def test_a_bare_name_means_the_newest(assembled: "Desk") -> None:
    assembled("assemble_dataset", databit="support", seed=7)
    assert assembled("get_dataset", dataset="support").name == "support@2"


@pytest.mark.parametrize("ref", ["support@2", "other", "support@99999999999999999"])
def test_an_unknown_one_is_answered_with_the_datasets(assembled: "Desk", ref: str) -> None:
    with pytest.raises(NotFound, match="Datasets: support@1"):
        assembled("get_dataset", dataset=ref)


def test_without_any_it_says_how_to_make_one(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="assemble_dataset"):
        queued("get_dataset", dataset="support")
