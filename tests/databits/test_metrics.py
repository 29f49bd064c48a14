from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databits.metrics import HOUR, SPANS, over_time, percentile, summarise


def request(**values: Any) -> SimpleNamespace:
    usual = {"status_code": 200, "latency_us": 1000, "confidence": 0.5, "answer": "a"}
    return SimpleNamespace(**{**usual, **values})


@given(st.lists(st.floats(0, 1e9), min_size=1), st.floats(0, 1))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values) - 1e-9
    below = [v for v in values if v < found]
    assert len(below) < max(share * len(values), 1)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100)])
def test_percentiles_of_one_to_a_hundred(share: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_errors_count_and_their_times_do_not() -> None:
    rows = [
        request(latency_us=1000),
        request(latency_us=3000, confidence=0.7, answer="b"),
        request(latency_us=9_000_000, status_code=500, confidence=None, answer=None),
    ]
    found = summarise(rows)
    assert (found.requests, found.errors) == (3, 1)
    assert found.latency_ms == {"p50": 1.0, "p95": 3.0, "p99": 3.0}
    assert found.mean_confidence == 0.6
    assert found.answers == {"a": 1, "b": 1}


def test_without_an_answer_there_is_no_time_and_no_confidence() -> None:
    for rows in ([], [request(status_code=500, confidence=None, answer=None)]):
        found = summarise(rows)
        assert (found.latency_ms, found.mean_confidence, found.answers) == (None, None, {})


@given(st.lists(st.integers(0, 24 * HOUR), min_size=1))
def test_every_request_is_in_the_one_span_that_it_came_in(moments: list[int]) -> None:
    rows = [request(created_at=7 + moment) for moment in moments]
    spans = over_time(rows, 7, 7 + 24 * HOUR)
    assert [span.hours_ago for span in spans] == [24 - 2 * n for n in range(SPANS)]
    expected = [0] * SPANS
    for moment in moments:
        expected[min(SPANS - 1, moment // (2 * HOUR))] += 1
    assert [span.requests for span in spans] == expected


def test_a_span_tells_its_own_errors_and_latency() -> None:
    rows = [
        request(created_at=0, latency_us=4000),
        request(created_at=1, status_code=500),
        request(created_at=12 * HOUR - 1, status_code=500),
    ]
    first, *_, last = over_time(rows, 0, 12 * HOUR)
    assert first == (12.0, 2, 1, 4.0)
    assert last == (1.0, 1, 1, None)
    assert over_time([], 0, 1) == []
