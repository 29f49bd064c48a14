from typing import TYPE_CHECKING

import pytest

from databits.errors import NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_it_shows_what_is_served_and_what_people_said(production: "Desk") -> None:
    answer = production("query_endpoint", endpoint="desk", texts=["x"]).answers[0]
    production("record_feedback", request_id=answer.request_id, thumbs="down")
    found = production.as_("vera", "viewer")("get_endpoint", endpoint="desk")
    assert [model.name for model in found.serves] == ["support@1"]
    assert found.requests == 37
    assert found.feedback == {"up": 0, "neutral": 0, "down": 1}


def test_an_unknown_one_is_answered_with_the_endpoints(production: "Desk") -> None:
    with pytest.raises(NotFound, match="Endpoints: desk"):
        production("get_endpoint", endpoint="other")


def test_without_any_it_says_how_to_make_one(desk: "Desk") -> None:
    with pytest.raises(NotFound, match="deploy_model"):
        desk("get_endpoint", endpoint="desk")
