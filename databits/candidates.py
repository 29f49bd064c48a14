"""Which production requests a person should look at next, and why."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from databits.errors import Invalid
from databits.readers.content import text_sha

Signal = Literal["correction", "thumbs_down", "drift", "low_confidence"]

# The priorities each signal spans; they do not touch, so a stronger signal always comes first.
_BANDS: dict[Signal, tuple[float, float]] = {
    "correction": (0.76, 1.0),
    "thumbs_down": (0.51, 0.75),
    "drift": (0.26, 0.5),
    "low_confidence": (0.0, 0.25),
}


@dataclass(frozen=True, slots=True)
class Request:
    """An answered production request and what became known of it.

    confidence: of the answer, 0 to 1, where the model gives one.
    feedback: −1 thumbs down, 0 none, +1 thumbs up.
    correction: the label a user gave instead.
    drift: 0 to 1, how surely the request is of the new traffic rather than of the training data
        (a domain classifier's probability, say); None where drift was not looked for.
    """

    request_id: int
    text: str
    predicted: str
    confidence: float | None = None
    feedback: int = 0
    correction: str | None = None
    drift: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request worth labelling.

    `reason` is a sentence for the domain expert; it names labels and never quotes the request.
    `priority` is 0 to 1 and comparable between calls.
    """

    request_id: int
    reason: str
    priority: float
    signal: Signal


def choose_candidates(
    requests: Iterable[Request],
    *,
    budget: int,
    labelled: Collection[str] = (),
    unsure_below: float = 0.7,
    drifted_above: float = 0.5,
    largest_share: float = 0.5,
) -> list[Candidate]:
    """At most `budget` requests, the most useful first; equal input gives equal output.

    A request is chosen for its strongest signal: a correction, then a thumbs-down, then that it
    drives the drift, then low confidence. Of requests that say the same only the strongest is
    kept. One signal fills at most `largest_share` of the budget as long as others have requests
    left, so that a flood of corrections does not hide a drift.

    Args:
        labelled: `text_sha` of every text that has a label already; those are skipped.
        unsure_below: a confidence below this is low, unless the user praised the answer.
        drifted_above: a drift score above this counts.

    Raises:
        Invalid: the budget is less than 1.
    """
    if budget < 1:
        raise Invalid("The budget is the number of requests to choose: 1 or more.")
    known = frozenset(labelled)
    strongest: dict[str, Candidate] = {}
    for request in requests:
        found = _judge(request, unsure_below, drifted_above)
        if found is None:
            continue
        key = text_sha(request.text)
        rival = strongest.get(key)
        if key not in known and (rival is None or _rank(found) < _rank(rival)):
            strongest[key] = found
    ranked = sorted(strongest.values(), key=_rank)
    return _spread(ranked, budget, max(1, math.ceil(budget * largest_share)))


def _judge(request: Request, unsure_below: float, drifted_above: float) -> Candidate | None:
    """The request as a candidate for its strongest signal; None if it has none."""
    answer, confidence = request.predicted, request.confidence
    surely = 0.5 if confidence is None else confidence
    if request.correction is not None and request.correction != answer:
        # The surer the model was of a wrong answer, the more there is to learn from it.
        reason = f"A user corrected this answer from {answer} to {request.correction}."
        return _candidate(request, "correction", surely, reason)
    if request.feedback < 0:
        reason = f"A user gave a thumbs-down to this answer, {answer}."
        return _candidate(request, "thumbs_down", surely, reason)
    drift = 0.0 if request.drift is None else min(1.0, request.drift)
    if drift > drifted_above:
        strength = (drift - drifted_above) / (1 - drifted_above)
        reason = f"Requests like this are new since training; the model answered {answer}."
        return _candidate(request, "drift", strength, reason)
    if request.feedback <= 0 and confidence is not None and confidence < unsure_below:
        reason = f"The model was only {confidence:.0%} sure of its answer, {answer}."
        return _candidate(request, "low_confidence", 1 - confidence / unsure_below, reason)
    return None


def _candidate(request: Request, signal: Signal, strength: float, reason: str) -> Candidate:
    low, high = _BANDS[signal]
    priority = low + (high - low) * min(1.0, max(0.0, strength))
    return Candidate(request.request_id, reason, round(priority, 6), signal)


def _rank(candidate: Candidate) -> tuple[float, int]:
    return -candidate.priority, candidate.request_id


def _spread(ranked: Sequence[Candidate], budget: int, most: int) -> list[Candidate]:
    """The first `budget`, with at most `most` of one signal while there are others."""
    chosen: list[Candidate] = []
    passed: list[Candidate] = []
    count = dict.fromkeys(_BANDS, 0)
    for candidate in ranked:
        count[candidate.signal] += 1
        (chosen if count[candidate.signal] <= most else passed).append(candidate)
    filled = [*chosen[:budget], *passed][:budget]
    return sorted(filled, key=_rank)
