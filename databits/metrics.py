"""Request metrics, from the rows of the request log."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple


class Summary(NamedTuple):
    requests: int
    errors: int
    mean_confidence: float | None
    latency_ms: dict[str, float] | None
    answers: dict[str, int]


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile: the smallest value that at least `share` of the values do not exceed.

    Args:
        values: at least one, in any order.
        share: 0 to 1.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summarise(rows: Sequence[Any]) -> Summary:
    """Counts, latency percentiles in ms of answered requests, and how often each answer was given."""
    answered = [row for row in rows if row.status_code == 200]
    times = [row.latency_us / 1000 for row in answered]
    sure = [row.confidence for row in answered if row.confidence is not None]
    return Summary(
        requests=len(rows),
        errors=len(rows) - len(answered),
        mean_confidence=round(sum(sure) / len(sure), 4) if sure else None,
        latency_ms={f"p{p}": round(percentile(times, p / 100), 2) for p in (50, 95, 99)}
        if times
        else None,
        answers=dict(
            Counter(row.answer for row in answered if row.answer is not None).most_common()
        ),
    )
