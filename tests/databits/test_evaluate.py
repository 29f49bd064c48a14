import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support

from databits.errors import Invalid
from databits.evaluate import evaluate, wilson

NAMES = ("bug", "login", "refund")
ROWS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0, 1)),
    min_size=1,
    max_size=40,
)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_holds_the_share_and_stays_within_0_and_1(pair: tuple[int, int]) -> None:
    found = wilson(*pair)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe (1998), table I: 81 of 263 and 0 of 20, method 3.
    found = wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    found = wilson(0, 20)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0, 0.1611)


@settings(max_examples=30, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    rows: list[tuple[str, str, float]], chance: random.Random
) -> None:
    shuffled = chance.sample(rows, len(rows))
    one, other = (
        evaluate([t for t, _, _ in r], [p for _, p, _ in r], [c for _, _, c in r], NAMES)
        for r in (rows, shuffled)
    )
    assert one == other


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_scores_are_those_of_scikit_learn(rows: list[tuple[str, str, float]]) -> None:
    truth, predicted, sure = (list(column) for column in zip(*rows, strict=True))
    found = evaluate(truth, predicted, sure, NAMES)
    assert found.macro_f1.value == pytest.approx(f1_score(truth, predicted, average="macro"))
    scores = precision_recall_fscore_support(truth, predicted, labels=NAMES, zero_division=0.0)
    for name, precision, recall, f1, support in zip(NAMES, *scores, strict=True):
        label = found.per_label[name]
        assert (label.precision or 0) == pytest.approx(precision)
        assert (label.recall or 0) == pytest.approx(recall)
        assert (label.f1 or 0) == pytest.approx(f1)
        assert label.support == support
    for interval in (found.accuracy, found.macro_f1):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert 0 <= found.calibration_error <= 1
    assert 0 <= found.brier <= 1


def test_confusions_come_most_frequent_first() -> None:
    truth = ["bug"] * 5 + ["login"] * 3 + ["refund"] * 2
    predicted = ["bug", "login", "login", "login", "refund", "bug", "login", "login", "bug", "bug"]
    found = evaluate(truth, predicted, [0.5] * 10, NAMES)
    assert [(c.truth, c.predicted, c.count) for c in found.confusions] == [
        ("bug", "login", 3),
        ("refund", "bug", 2),
        ("bug", "refund", 1),
        ("login", "bug", 1),
    ]


def test_calibration_error_is_the_weighted_gap() -> None:
    # 0.95 sure and all right: gap 0.05; 0.75 sure and half right: gap 0.25.
    truth, predicted = ["bug"] * 8, ["bug"] * 6 + ["login"] * 2
    found = evaluate(truth, predicted, [0.95] * 4 + [0.75] * 4, NAMES)
    assert found.calibration_error == pytest.approx(0.15)
    assert found.brier == pytest.approx((4 * 0.05**2 + 2 * 0.25**2 + 2 * 0.75**2) / 8)
    assert [(b.count, b.accuracy) for b in found.calibration if b.count] == [(4, 0.5), (4, 1.0)]


def test_full_confidence_falls_into_the_last_bin() -> None:
    found = evaluate(["bug"], ["bug"], [1.0], NAMES)
    assert [b.count for b in found.calibration] == [0] * 9 + [1]
    assert found.calibration_error == 0


def test_a_label_that_occurs_nowhere_has_no_scores_and_no_part_in_the_mean() -> None:
    found = evaluate(["bug", "login"], ["bug", "login"], [0.9, 0.9], NAMES)
    assert found.per_label["refund"].model_dump() == {
        "precision": None,
        "recall": None,
        "f1": None,
        "support": 0,
    }
    assert found.macro_f1.value == 1


def test_a_label_the_model_lacks_counts_as_mistakes() -> None:
    found = evaluate(["bug", "new"], ["bug", "bug"], [0.9, 0.9], ["bug", "login"])
    assert found.accuracy.value == 0.5
    assert found.per_label["new"].recall == 0
    assert list(found.per_label) == ["bug", "login", "new"]


def test_intervals_narrow_with_more_rows() -> None:
    truth, predicted = ["bug", "login", "bug", "login"], ["bug", "login", "login", "login"]
    few, many = (evaluate(truth * k, predicted * k, [0.8] * 4 * k, NAMES) for k in (5, 100))
    for name in ("accuracy", "macro_f1"):
        narrow, wide = getattr(many, name), getattr(few, name)
        assert narrow.high - narrow.low < (wide.high - wide.low) / 3


def test_the_bootstrap_interval_covers_the_true_figure_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):  # three equal labels, each right four times in five: macro F1 is 0.8
        truth = rng.integers(0, 3, 300)
        predicted = np.where(rng.random(300) < 0.8, truth, (truth + rng.integers(1, 3, 300)) % 3)
        rights, answers = ([NAMES[code] for code in column] for column in (truth, predicted))
        found = evaluate(rights, answers, [0.8] * 300, NAMES)
        covered += found.macro_f1.low <= 0.8 <= found.macro_f1.high
    assert 88 <= covered <= 99


def test_no_rows_are_refused() -> None:
    with pytest.raises(Invalid, match="no rows"):
        evaluate([], [], [], NAMES)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(Invalid, match="1 labels came with 2 answers and 1 confidences"):
        evaluate(["bug"], ["bug", "bug"], [0.1], NAMES)


@pytest.mark.parametrize("sure", [-0.1, 1.1, float("nan")])
def test_a_confidence_that_is_no_probability_is_refused(sure: float) -> None:
    with pytest.raises(Invalid, match="1 of 2 confidences are not between 0 and 1"):
        evaluate(["bug", "bug"], ["bug", "bug"], [0.5, sure], NAMES)
