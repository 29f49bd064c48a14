"""Multinomial logistic regression for many terms and few rows, with honest probabilities."""

import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

Matrix = Any  # a dense array or scipy's CSR matrix; scipy has no types
Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

INVERSE_PENALTY: Final = 10.0  # C: 3 to 30 differ by less than a point, 100 loses with few rows
COMPACT_ROWS: Final = 2_000  # up to here a fit in the rows' own span is faster than in all terms
FOLDS: Final = 5
HELD_OUT_ENOUGH: Final = 300  # predictions set one number well; 1,500 rows need one fold
SHARPNESS: Final = 2.5  # measured: 2.4 to 3.3 at one or two rows a label, near 1 at hundreds
PRIOR_STRENGTH: Final = 5.0  # so that a handful of held-out rows cannot move it far


def compact(features: Matrix) -> tuple[Matrix, Callable[[Floats], Floats]]:
    """Features to fit on instead of (n, d) `features`, and the way back for coefficients.

    Few rows span few of the d dimensions, and a penalised fit never leaves their span (the
    representer theorem, Kimeldorf and Wahba 1971). So n rows are turned, lengths and angles kept,
    into their at most n own coordinates: the same model from a fit without the other dimensions.
    """
    if features.shape[0] > COMPACT_ROWS:
        return features, lambda coefficients: coefficients
    wide = features.astype(np.float64)
    squares, basis = np.linalg.eigh((wide @ wide.T).toarray())
    kept = squares > squares[-1] * 1e-9
    lengths, basis = np.sqrt(squares[kept]), basis[:, kept]

    def expand(coefficients: Floats) -> Floats:
        shares = (coefficients / lengths) @ basis.T  # (k, n): how much of each row
        return np.asarray((wide.T @ shares.T).T)

    return basis * lengths, expand


def fit_logistic(features: Matrix, codes: Codes) -> tuple[Floats, Floats]:
    """Multinomial logistic regression with an L2 penalty: coefficients (k, d), intercepts (k,).

    Args:
        codes: (n,), from 0 to k - 1, each at least once.
    """
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000)
    with warnings.catch_warnings():
        # One or two rows a label is what few-shot means; scikit-learn suspects a regression.
        warnings.filterwarnings("ignore", message="The number of unique classes")
        # L-BFGS calls BLAS on vectors, where a second thread costs 2 to 13 times what it saves.
        with threadpool_limits(1, user_api="blas"):
            model.fit(features, codes)
    coefficients = model.coef_.astype(np.float64)
    intercepts = model.intercept_.astype(np.float64)
    if len(coefficients) == 1:  # two classes come as one row z; softmax(-z/2, z/2) is sigmoid(z)
        half, shift = coefficients[0] / 2, intercepts[0] / 2
        return np.stack([-half, half]), np.array([-shift, shift])
    return coefficients, intercepts


def sharpness(features: Matrix, codes: Codes, held_out: NDArray[np.bool_], seed: int) -> float:
    """The factor on the logits under which rows kept out of the fit are likeliest.

    One number for all labels, so it never changes which label wins: temperature scaling (Guo et
    al. 2017) by cross-validation. With few rows to judge by it stays near SHARPNESS.

    Args:
        held_out: (n,) rows that may be kept out; the others are in every fit.
        seed: decides which rows are kept out together.
    """
    folds = _deal(codes, held_out, np.random.default_rng(seed))
    scores: list[Floats] = []
    truth: list[Codes] = []
    for fold in range(FOLDS):
        if sum(len(part) for part in truth) >= HELD_OUT_ENOUGH or not (folds == fold).any():
            break
        coefficients, intercepts = fit_logistic(features[folds != fold], codes[folds != fold])
        scores.append(features[folds == fold] @ coefficients.T + intercepts)
        truth.append(codes[folds == fold])
    if not truth:
        return SHARPNESS
    logits, right = np.concatenate(scores), np.concatenate(truth)

    def surprise(log_factor: float) -> float:
        scaled = special.log_softmax(logits * np.exp(log_factor), axis=1)
        loss = -scaled[np.arange(len(right)), right].sum()
        return float(loss + PRIOR_STRENGTH * (log_factor - np.log(SHARPNESS)) ** 2)

    found = optimize.minimize_scalar(surprise, bounds=(np.log(0.2), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def _deal(codes: Codes, held_out: NDArray[np.bool_], rng: np.random.Generator) -> Codes:
    """A fold for each row that may be held out, -1 for the others.

    Rows are dealt label by label, so no fold holds all rows of a label that has two or more.
    """
    folds = np.full(len(codes), -1)
    shuffled = rng.permutation(np.flatnonzero(held_out))
    by_label = shuffled[np.argsort(codes[shuffled], kind="stable")]
    folds[by_label] = np.arange(len(by_label)) % FOLDS
    return folds
