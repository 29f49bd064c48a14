from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_it_shows_where_a_model_comes_from_and_how_good_it_is(production: "Desk") -> None:
    found = production.as_("vera", "viewer")("get_model", model="support")
    assert (found.name, found.dataset) == ("support@1", "support@1")
    assert found.accuracy is not None
    assert found.evaluation["n"] > 0


def test_an_unknown_one_is_answered_with_the_models(production: "Desk") -> None:
    for ref in ("other", "support@2"):
        with pytest.raises(NotFound, match="Models: support@1"):
            production("get_model", model=ref)
    with pytest.raises(Invalid, match="name@number"):
        production("get_model", model="support@newest")


def test_without_any_it_says_how_to_make_one(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="launch_fine_tune"):
        queued("get_model", model="support")
