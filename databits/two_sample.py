"""Are two samples from one distribution? Permutation tests for vectors and for labels.

A permutation test holds at any sample size, also where a chi-squared table would not.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]

PERMUTATIONS: Final = 1_000  # the smallest p-value is then 0.001
BLOCK: Final = 1_000  # rows a step, so that a long window needs no large kernel


class Difference(NamedTuple):
    p_value: float
    """The chance of such a difference, or a larger one, between samples of one distribution."""
    effect: float
    """Its size, 0 for none."""


def compare_vectors(
    reference: Vectors, window: Vectors, width: float, rng: np.random.Generator
) -> Difference:
    """Maximum mean discrepancy (Gretton et al. 2012, unbiased) with an RBF kernel, by permutation.

    The effect is sqrt(MMD² / (1 - mean kernel within the reference)): how far the mean moved in the
    kernel's space in units of the reference's own spread there, as Cohen's d is for one number.
    """
    m, n = len(reference), len(window)
    pooled = np.concatenate([reference, window])
    kernel = _kernel(pooled, pooled, width)
    np.fill_diagonal(kernel, 0)
    within = float(kernel[:m, :m].sum(dtype=np.float64)) / (m * (m - 1))
    # A constant off the diagonal cancels in the statistic; without it float32 keeps more digits.
    kernel -= np.float32(within)
    np.fill_diagonal(kernel, 0)
    sides = np.tile(np.arange(m + n) >= m, (PERMUTATIONS + 1, 1))
    sides[1:] = rng.permuted(sides[1:], axis=1)
    member = sides.T.astype(np.float32)  # (m + n, permutations + 1); column 0 is what happened
    reach = kernel @ member
    window_window = np.einsum("ip,ip->p", reach, member, dtype=np.float64)
    either = reach.sum(axis=0, dtype=np.float64)
    across = either - window_window
    reference_reference = kernel.sum(dtype=np.float64) - window_window - 2 * across
    squares = (
        reference_reference / (m * (m - 1)) + window_window / (n * (n - 1)) - 2 * across / (m * n)
    )
    spread = max(1 - within, 1e-12)
    return Difference(_p_value(squares), float(np.sqrt(max(squares[0], 0) / spread)))


def compare_labels(
    reference: Sequence[str], window: Sequence[str], rng: np.random.Generator
) -> Difference:
    """Pearson's chi-squared of two rows of counts, by permutation: it holds for rare labels too.

    The effect is the total variation distance of the shares (half the summed differences: the share
    of answers that moved to other labels) less what permutations show on average.
    """
    before, now = Counter(reference), Counter(window)
    names = sorted(before.keys() | now.keys())
    observed = np.array([[now[name] for name in names]])
    totals = observed[0] + np.array([before[name] for name in names])
    n, everything = len(window), len(window) + len(reference)
    drawn = rng.multivariate_hypergeometric(totals, n, size=PERMUTATIONS)
    counts = np.concatenate([observed, drawn])
    # Both rows' terms share the numerator (O - E)², so one row's sum orders the permutations.
    expected = totals * n / everything
    statistic = ((counts - expected) ** 2 / expected).sum(axis=1)
    distance = np.abs(counts / n - (totals - counts) / len(reference)).sum(axis=1) / 2
    return Difference(_p_value(statistic), float(max(0.0, distance[0] - distance[1:].mean())))


def _p_value(statistics: Floats) -> float:
    """Of the first among permuted ones, itself counted: never 0 (Phipson and Smyth 2010)."""
    slack = 1e-9 * max(1e-9, abs(float(statistics[0])))
    return float((statistics >= statistics[0] - slack).mean())


def witness(rows: Vectors, reference: Vectors, window: Vectors, width: float) -> Floats:
    """The witness function of Gretton et al. (2012): mean kernel to the window less to the reference."""
    scores = np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        to_window = _kernel(part, window, width).mean(axis=1)
        scores[start : start + BLOCK] = to_window - _kernel(part, reference, width).mean(axis=1)
    return scores


def _kernel(left: Vectors, right: Vectors, width: float) -> Vectors:
    """exp(-distance² / (2 width²)): (left, right), float32."""
    kernel: Vectors = np.exp(square_distances(left, right) / np.float32(-2 * width**2))
    return kernel


def square_distances(left: Vectors, right: Vectors) -> Vectors:
    """Squared Euclidean distances of all pairs: (left, right)."""
    lengths = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    squares: Vectors = np.maximum(lengths - 2 * left @ right.T, 0)
    return squares


def median_distance(vectors: Vectors) -> float:
    """The median heuristic for the kernel's width; 1 where all vectors are the same."""
    upper = np.triu_indices(len(vectors), k=1)
    median = float(np.sqrt(np.median(square_distances(vectors, vectors)[upper])))
    return median or 1.0
