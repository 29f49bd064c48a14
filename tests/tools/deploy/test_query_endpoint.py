from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotFound
from databits.store.tables import requests

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_each_text_is_answered_and_logged(production: "Desk") -> None:
    before = len(production.rows(requests))
    answered = production.as_("vera", "viewer")(
        "query_endpoint", endpoint="desk", texts=["The invoice is wrong", "My parcel is lost"]
    )
    assert [a.label for a in answered.answers] == ["billing", "shipping"]
    assert all(0 < a.confidence <= 1 for a in answered.answers)
    logged = production.rows(requests)[before:]
    assert [row["request_id"] for row in logged] == [a.request_id for a in answered.answers]
    assert [row["actor"] for row in logged] == ["vera", "vera"]
    assert {row["status_code"] for row in logged} == {200}


def test_the_same_text_gets_the_same_answer(production: "Desk") -> None:
    first, second = (
        production("query_endpoint", endpoint="desk", texts=["locked account"]) for _ in range(2)
    )
    assert first.answers[0].label == second.answers[0].label
    assert first.answers[0].confidence == second.answers[0].confidence
    assert first.answers[0].request_id != second.answers[0].request_id


def test_refusals_log_no_request(production: "Desk") -> None:
    before = production.rows(requests)
    with pytest.raises(NotFound, match="Endpoints: desk"):
        production("query_endpoint", endpoint="other", texts=["x"])
    for texts in ([], ["x"] * 101, ["x" * 100_001], "x"):
        with pytest.raises(Invalid, match="texts"):
            production("query_endpoint", endpoint="desk", texts=texts)
    assert production.rows(requests) == before
