from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotFound
from databits.store.tables import requests

if TYPE_CHECKING:
    from tests.conftest import Desk

OTHER = [
    f"{verb} the {noun} before the evening concert"
    for verb in ("Tune", "Polish", "Carry", "Borrow", "Repair", "Record", "Restring", "Lend")
    for noun in ("violin", "cello", "trumpet", "drum", "flute")
]


def test_the_traffic_the_model_was_trained_on_is_no_drift(production: "Desk") -> None:
    found = production.as_("vera", "viewer")("query_drift", endpoint="desk")
    assert (found.verdict, found.requests) == ("no drift", 36)
    assert found.reference == "support@1"


def test_another_kind_of_message_is_drift_and_named_by_its_words(production: "Desk") -> None:
    production("query_endpoint", endpoint="desk", texts=OTHER)
    found = production("query_drift", endpoint="desk", window=40)
    assert found.verdict == "drift"
    assert any(test.drifted for test in found.tests)
    ids = {row["request_id"] for row in production.rows(requests)}
    assert found.most_unlike
    assert set(found.most_unlike) <= ids


def test_looking_twice_says_the_same_and_changes_nothing(production: "Desk") -> None:
    first = production("query_drift", endpoint="desk")
    before = production.state()
    assert production("query_drift", endpoint="desk") == first
    assert production.state() == before


def test_refusals(production: "Desk") -> None:
    with pytest.raises(NotFound, match="Endpoints: desk"):
        production("query_drift", endpoint="other")
    with pytest.raises(Invalid, match="window"):
        production("query_drift", endpoint="desk", window=5)
