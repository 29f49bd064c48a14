"""Has what an endpoint is asked moved away from what its model was trained on?

Two permutation tests, of the texts' vectors (maximum mean discrepancy) and of the answers' shares
(chi-squared), under family-wise control. A test speaks of drift only if it is both significant
and large, because with enough requests any trifle is significant. The least effects that count,
and what they were chosen by, against 2,000 texts of the 77 intents of Banking77:

- texts: how far the mean moved in units of the reference's spread (`compare_vectors`), 0.05. One
  intent surging to 5 % of the window moves it by 0.03, to 15 % by 0.10; 5 % of texts from another
  field by 0.03, 20 % by 0.11, half by 0.29.
- labels: the share of answers that went to other labels, chance taken off (`compare_labels`), 0.05.
  The surge to 5 % moves 0.02, the one to 15 % 0.07.

With these, none of 60 windows of 100 to 2,000 unmoved texts gave an alarm and none of 120 with a 5 %
shift; the surge to 15 % was caught in 17 of 20 windows of 100 and 20 of 20 of 300, and 20 % from
another field in 20 of 20 of 100.

Population stability index, moved words and the rows behind the drift are shown beside the verdict
and have no part in it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from databits.errors import Invalid
from databits.two_sample import (
    Difference,
    Vectors,
    compare_labels,
    compare_vectors,
    median_distance,
    square_distances,
    witness,
)

Verdict = Literal["no drift", "drift", "too little data"]

LEAST_ROWS: Final = 20  # of either side; below it a permutation test sees only the grossest shift
MOST_ROWS: Final = 1_000  # of either side in the vector test: the kernel is quadratic in them
LEVEL: Final = 0.01  # false alarms a look, all tests together; a daily look errs thrice a year
LEAST_VECTOR_EFFECT: Final = 0.05
LEAST_LABEL_EFFECT: Final = 0.05
BINS: Final = 10  # for which the customary bands of the stability index, 0.1 and 0.25, were made
MOST_MOVED: Final = 10
LEAST_Z: Final = 3.0  # of a word's move: thousands of words are looked at, so 2 would list noise


class DriftTest(BaseModel):
    """One test of the window against the reference."""

    model_config = ConfigDict(frozen=True)

    name: Literal["texts", "labels"]
    p_value: float = Field(description="Adjusted for the number of tests (Holm)")
    effect: float = Field(description="Size of the shift, 0 for none; see least_effect")
    least_effect: float = Field(description="The effect from which a significant shift counts")
    drifted: bool


class MovedShare(BaseModel):
    """A word or label that is more or less frequent than it was."""

    model_config = ConfigDict(frozen=True)

    name: str
    before: float = Field(description="Share of the reference rows that have it, 0 to 1")
    now: float = Field(description="Share of the window rows that have it, 0 to 1")


class Drift(BaseModel):
    """What `measure_drift` found."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    reason: str
    n_reference: int
    n_window: int
    tests: tuple[DriftTest, ...] = ()
    psi: float | None = Field(None, description="Population stability index over ten clusters")
    psi_by_chance: float | None = Field(None, description="What it comes to without any drift")
    moved_labels: tuple[MovedShare, ...] = ()
    moved_words: tuple[MovedShare, ...] = ()
    row_scores: tuple[float, ...] = Field(
        (), description="Of each window row: how much more typical of window than of reference"
    )
    driving_rows: tuple[int, ...] = Field((), description="Indices of the rows of highest score")


class _Side(NamedTuple):
    vectors: Vectors
    texts: Sequence[str]
    labels: Sequence[str]


def measure_drift(
    reference_vectors: Vectors,
    window_vectors: Vectors,
    *,
    reference_texts: Sequence[str],
    window_texts: Sequence[str],
    reference_labels: Sequence[str] | None = None,
    window_labels: Sequence[str] | None = None,
    seed: int = 0,
) -> Drift:
    """Compare n window rows with m reference rows; the module's docstring tells when it is drift.

    Args:
        reference_vectors, window_vectors: (m, d) and (n, d), rows of unit length.
        reference_labels, window_labels: both or neither, best answers of the same model: human
            labels beside predicted ones also differ by the model's errors.
        seed: of the subsample and the permutations; the same call gives the same result.

    Raises:
        Invalid: lengths or widths differ, a vector is not finite, or one side lacks labels.
    """
    _check_side("reference", reference_vectors, reference_texts, reference_labels)
    _check_side("window", window_vectors, window_texts, window_labels)
    m, n = len(reference_texts), len(window_texts)
    if min(m, n) < LEAST_ROWS:
        reason = f"{n} rows against {m}; each side needs {LEAST_ROWS} or more."
        return Drift(verdict="too little data", reason=reason, n_reference=m, n_window=n)
    if reference_vectors.shape[1] != window_vectors.shape[1]:
        raise Invalid("The two sides' vectors differ in width. Embed both with the same model.")
    if (reference_labels is None) != (window_labels is None):
        raise Invalid("Only one side has labels. Give the labels of both sides or of neither.")
    before = _Side(reference_vectors, reference_texts, reference_labels or ())
    now = _Side(window_vectors, window_texts, window_labels or ())
    return _compare(before, now, np.random.default_rng(seed))


def _compare(before: _Side, now: _Side, rng: np.random.Generator) -> Drift:
    reference, window = _subsample(before.vectors, rng), _subsample(now.vectors, rng)
    width = median_distance(np.concatenate([reference, window]))
    found = {"texts": compare_vectors(reference, window, width, rng)}
    if now.labels:
        found["labels"] = compare_labels(before.labels, now.labels, rng)
    tests = _judge(found)
    scores = witness(now.vectors, reference, window, width)
    m, n = len(before.texts), len(now.texts)
    return Drift(
        verdict="drift" if any(test.drifted for test in tests) else "no drift",
        reason=_reason(tests),
        n_reference=m,
        n_window=n,
        tests=tests,
        psi=_stability_index(before.vectors, now.vectors, rng),
        psi_by_chance=(BINS - 1) * (1 / m + 1 / n),
        moved_labels=_moved([[name] for name in before.labels], [[name] for name in now.labels], 0),
        moved_words=_moved(map(_words, before.texts), map(_words, now.texts), LEAST_Z),
        row_scores=tuple(scores.tolist()),
        driving_rows=tuple(np.argsort(-scores, kind="stable")[:MOST_MOVED].tolist()),
    )


def _judge(found: dict[str, Difference]) -> tuple[DriftTest, ...]:
    """Holm's (1979) step-down adjustment: the chance of one false alarm or more is below LEVEL."""
    bounds = {"texts": LEAST_VECTOR_EFFECT, "labels": LEAST_LABEL_EFFECT}
    tests = []
    adjusted = 0.0
    for rank, name in enumerate(sorted(found, key=lambda name: found[name].p_value)):
        adjusted = min(1.0, max(adjusted, (len(found) - rank) * found[name].p_value))
        effect, least = found[name].effect, bounds[name]
        tests.append(
            DriftTest(
                name="texts" if name == "texts" else "labels",
                p_value=adjusted,
                effect=effect,
                least_effect=least,
                drifted=adjusted < LEVEL and effect >= least,
            )
        )
    return tuple(tests)


def _reason(tests: Sequence[DriftTest]) -> str:
    told = []
    for test in tests:
        known = "significant" if test.p_value < LEVEL else "not significant"
        size = "large enough to count" if test.effect >= test.least_effect else "small"
        told.append(
            f"{test.name}: shift {test.effect:.2f} (counts from {test.least_effect:.2f}), "
            f"{size}, {known} (p = {test.p_value:.3f})"
        )
    return "; ".join(told) + "."


def _stability_index(reference: Vectors, window: Vectors, rng: np.random.Generator) -> float:
    """Σ (now - before) ln(now / before) over the reference's clusters (Siddiqi 2006)."""
    centres = _centres(_subsample(reference, rng), rng)
    shares = []
    for side in (reference, window):
        nearest = square_distances(side, centres).argmin(axis=1)
        counts = np.bincount(nearest, minlength=len(centres)) + 0.5  # an empty cluster has no ln
        shares.append(counts / counts.sum())
    before, now = shares
    return float(((now - before) * np.log(now / before)).sum())


def _centres(vectors: Vectors, rng: np.random.Generator, rounds: int = 20) -> Vectors:
    """k-means by Lloyd's algorithm from rows drawn at random: BINS centres or fewer."""
    centres = vectors[rng.choice(len(vectors), min(BINS, len(vectors)), replace=False)]
    for _ in range(rounds):
        nearest = square_distances(vectors, centres).argmin(axis=1)
        centres = np.stack(
            [
                vectors[nearest == c].mean(axis=0)
                for c in range(len(centres))
                if (nearest == c).any()
            ]
        )
    return centres


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{2,}", text.lower()))


def _moved(
    reference: Iterable[Iterable[str]], window: Iterable[Iterable[str]], least_z: float
) -> tuple[MovedShare, ...]:
    """Names whose share of rows moved most, the surest first (z of two proportions, pooled)."""
    reference, window = list(reference), list(window)
    before = Counter(name for row in reference for name in row)
    now = Counter(name for row in window for name in row)
    m, n = len(reference), len(window)
    found = []
    for name in before.keys() | now.keys():
        share, pooled = now[name] / n - before[name] / m, (now[name] + before[name]) / (m + n)
        deviation = np.sqrt(pooled * (1 - pooled) * (1 / m + 1 / n))
        z = abs(share) / deviation if deviation else 0.0
        if share and z >= least_z:
            found.append((-z, name))
    return tuple(
        MovedShare(name=name, before=before[name] / m, now=now[name] / n)
        for _, name in sorted(found)[:MOST_MOVED]
    )


def _subsample(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    if len(vectors) <= MOST_ROWS:
        return vectors
    return vectors[np.sort(rng.choice(len(vectors), MOST_ROWS, replace=False))]


def _check_side(
    side: str, vectors: Vectors, texts: Sequence[str], labels: Sequence[str] | None
) -> None:
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise Invalid(
            f"The {side} has {len(texts)} texts and vectors of shape {vectors.shape}. "
            "Embed these texts."
        )
    if labels is not None and len(labels) != len(texts):
        raise Invalid(
            f"The {side} has {len(texts)} texts and {len(labels)} labels. Give one a text."
        )
    if not np.isfinite(vectors).all():
        raise Invalid(f"The {side} has vectors that are not finite. Embed its texts again.")
