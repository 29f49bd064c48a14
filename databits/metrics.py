"""Request metrics, from the rows of the request log."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

HOUR = 3_600_000_000  # µs


class Summary(NamedTuple):
    requests: int
    errors: int
    mean_confidence: float | None
    latency_ms: dict[str, float] | None
    answers: dict[str, int]


class Span(NamedTuple):
    hours_ago: float
    requests: int
    errors: int
    p95_ms: float | None


SPANS = 12


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


def over_time(rows: Sequence[Any], since: int, until: int) -> list[Span]:
    """The same in `SPANS` equal spans, oldest first; `hours_ago` is where one begins.

    Args:
        rows: Of the request log, not before `since`. None give no spans.
        since, until: µs since the epoch.
    """
    if not rows:
        return []
    width = max(until - since, 1) / SPANS
    of: list[list[Any]] = [[] for _ in range(SPANS)]
    for row in rows:
        of[min(SPANS - 1, int((row.created_at - since) / width))].append(row)
    found = []
    for n, some in enumerate(of):
        whole = summarise(some)
        p95 = whole.latency_ms["p95"] if whole.latency_ms else None
        hours = round((SPANS - n) * width / HOUR, 4)
        found.append(Span(hours, whole.requests, whole.errors, p95))
    return found
