from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_the_requests_of_the_window_are_counted(production: "Desk") -> None:
    found = production.as_("vera", "viewer")("query_metrics", endpoint="desk")
    assert (found.requests, found.errors, found.error_rate) == (36, 0, 0.0)
    assert 0 < found.latency_ms.p50 <= found.latency_ms.p95 <= found.latency_ms.p99
    assert [m.model for m in found.by_model] == ["support@1"]
    assert sum(found.by_model[0].answers.values()) == 36


def test_a_window_without_requests_has_no_latency(production: "Desk") -> None:
    found = production("query_metrics", endpoint="desk", hours=1e-9)
    assert (found.requests, found.latency_ms, found.by_model) == (0, None, [])


def test_only_the_newest_word_on_a_request_counts(production: "Desk") -> None:
    answer = production("query_endpoint", endpoint="desk", texts=["x"]).answers[0]
    for thumbs in ("down", "up"):
        production("record_feedback", request_id=answer.request_id, thumbs=thumbs)
    found = production("query_metrics", endpoint="desk")
    assert found.feedback == {"up": 1, "neutral": 0, "down": 0}


def test_refusals(production: "Desk") -> None:
    with pytest.raises(NotFound, match="Endpoints: desk"):
        production("query_metrics", endpoint="other")
    with pytest.raises(Invalid, match="hours"):
        production("query_metrics", endpoint="desk", hours=0)
