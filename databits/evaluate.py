"""How good are a classifier's answers, and how sure can we be of that figure?"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from databits.errors import Invalid
from databits.model import Interval

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

Z95: Final = 1.959963984540054  # the standard normal's 97.5 % point
RESAMPLES: Final = 1_000
BINS: Final = 10
MOST_CONFUSIONS: Final = 20


class LabelScore(BaseModel):
    """How one label fares. A figure without a single row to take it from is None."""

    model_config = ConfigDict(frozen=True)

    precision: float | None = Field(description="Of the rows answered so, the share that are so")
    recall: float | None = Field(description="Of the rows that are so, the share answered so")
    f1: float | None = Field(description="Harmonic mean of the two")
    support: int = Field(description="Rows that are so")


class Confusion(BaseModel):
    """Rows of one label that were answered with another."""

    model_config = ConfigDict(frozen=True)

    truth: str
    predicted: str
    count: int


class CalibrationBin(BaseModel):
    """The rows whose confidence lies in [low, high); the last bin includes 1."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    count: int
    confidence: float | None = Field(description="Mean confidence; None without rows")
    accuracy: float | None = Field(description="Share of right answers; None without rows")


class Evaluation(BaseModel):
    """What `evaluate` found. It does not depend on the order of the rows."""

    model_config = ConfigDict(frozen=True)

    n: int
    accuracy: Interval
    macro_f1: Interval
    per_label: dict[str, LabelScore]
    confusions: tuple[Confusion, ...] = Field(description="Most frequent first")
    calibration_error: float = Field(description="Expected calibration error, 0 to 1")
    brier: float = Field(description="Mean squared gap of confidence and being right, 0 to 1")
    calibration: tuple[CalibrationBin, ...]


def evaluate(
    truth: Sequence[str],
    predicted: Sequence[str],
    confidence: Sequence[float],
    labels: Sequence[str],
    *,
    seed: int = 0,
) -> Evaluation:
    """Compare n answers with the truth.

    Args:
        confidence: of each answer, 0 to 1.
        labels: the model's. A label that only the data has is added: its rows count as mistakes.
        seed: of the bootstrap; the same call gives the same figures.

    Raises:
        Invalid: there are no rows, lengths differ, or a confidence is outside 0 to 1.
    """
    n = len(truth)
    sure = _checked(n, len(predicted), confidence)
    names = list(dict.fromkeys([*labels, *sorted({*truth, *predicted} - set(labels))]))
    place = {name: code for code, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)), np.int64)
    np.add.at(matrix, ([place[t] for t in truth], [place[p] for p in predicted]), 1)
    right = np.array([t == p for t, p in zip(truth, predicted, strict=True)], np.float64)
    order = np.lexsort((right, sure))  # sums of floats must not depend on the order of the rows
    right, sure = right[order], sure[order]
    bins = _calibration(sure, right)
    return Evaluation(
        n=n,
        accuracy=wilson(int(right.sum()), n),
        macro_f1=_macro_f1(matrix, np.random.default_rng(seed)),
        per_label={name: _label_score(matrix, code) for name, code in place.items()},
        confusions=_confusions(matrix, names),
        calibration_error=_calibration_error(bins, n),
        brier=float(np.mean((sure - right) ** 2)),
        calibration=bins,
    )


def wilson(right: int, n: int) -> Interval:
    """A share and its 95 % score interval (Wilson 1927); n of 1 or more.

    Unlike p ± 1.96 s it stays within 0 to 1 and has a width where all or none are right.
    """
    p, z2 = right / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    # Rounding may carry an end just past the share itself when that is 0 or 1.
    return Interval(
        value=p, low=min(p, max(0.0, centre - half)), high=max(p, min(1.0, centre + half))
    )


def _macro_f1(matrix: Counts, rng: np.random.Generator) -> Interval:
    """Mean F1 over the labels that occur, with a 95 % percentile bootstrap (Efron 1979).

    To draw n rows with replacement is to draw the confusion matrix's cells from a multinomial.
    """
    rows, columns = np.nonzero(matrix)
    cells, n = matrix[rows, columns], int(matrix.sum())
    drawn = np.concatenate([cells[None], rng.multinomial(n, cells / n, size=RESAMPLES)])
    names = np.arange(len(matrix))
    occurrences = drawn @ ((rows[:, None] == names).astype(float) + (columns[:, None] == names))
    hits = drawn @ ((rows[:, None] == names) & (columns[:, None] == names)).astype(float)
    f1 = np.divide(2 * hits, occurrences, out=np.zeros_like(hits), where=occurrences > 0)
    means = f1.sum(axis=1) / (occurrences > 0).sum(axis=1)
    value = float(means[0])
    low, high = np.quantile(means[1:], [0.025, 0.975])
    # On few rows resamples lose labels and all lean to one side; keep the figure inside.
    return Interval(value=value, low=min(value, float(low)), high=max(value, float(high)))


def _label_score(matrix: Counts, code: int) -> LabelScore:
    hits, support, answers = (
        int(x) for x in (matrix[code, code], matrix[code].sum(), matrix[:, code].sum())
    )
    return LabelScore(
        precision=hits / answers if answers else None,
        recall=hits / support if support else None,
        f1=2 * hits / (support + answers) if support + answers else None,
        support=support,
    )


def _confusions(matrix: Counts, names: Sequence[str]) -> tuple[Confusion, ...]:
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    pairs = sorted(
        (-int(wrong[row, column]), names[row], names[column]) for row, column in np.argwhere(wrong)
    )
    return tuple(
        Confusion(truth=truth, predicted=predicted, count=-count)
        for count, truth, predicted in pairs[:MOST_CONFUSIONS]
    )


def _calibration(sure: Floats, right: Floats) -> tuple[CalibrationBin, ...]:
    """Ten bins of equal width (Naeini et al. 2015)."""
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = []
    for bin_ in range(BINS):
        inside = place == bin_
        count = int(inside.sum())
        bins.append(
            CalibrationBin(
                low=bin_ / BINS,
                high=(bin_ + 1) / BINS,
                count=count,
                confidence=float(sure[inside].mean()) if count else None,
                accuracy=float(right[inside].mean()) if count else None,
            )
        )
    return tuple(bins)


def _calibration_error(bins: Sequence[CalibrationBin], n: int) -> float:
    """Σ over bins of (count / n) · |accuracy - confidence|: ECE of Naeini et al. (2015)."""
    return sum(
        b.count / n * abs(b.accuracy - b.confidence)
        for b in bins
        if b.accuracy is not None and b.confidence is not None
    )


def _checked(n: int, answers: int, confidence: Sequence[float]) -> Floats:
    if n == 0:
        raise Invalid("There are no rows to evaluate. Give rows with a label and an answer.")
    if not n == answers == len(confidence):
        raise Invalid(
            f"{n} labels came with {answers} answers and {len(confidence)} confidences. "
            "Give one of each a row."
        )
    sure = np.asarray(confidence, np.float64)
    outside = int((~((sure >= 0) & (sure <= 1))).sum())
    if outside:
        raise Invalid(f"{outside} of {n} confidences are not between 0 and 1. Give probabilities.")
    return sure
