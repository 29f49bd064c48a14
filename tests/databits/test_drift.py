import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databits.drift import Drift, measure_drift
from databits.errors import Invalid
from databits.two_sample import PERMUTATIONS, Vectors, compare_labels, compare_vectors

WIDTH = 16


def cloud(n: int, seed: int, shift: float = 0, share: float = 1) -> Vectors:
    """Unit vectors around one direction; a `share` of them moved by `shift` in another."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, WIDTH))
    points[:, 0] += 3
    points[: round(share * n), 1] += shift
    vectors: Vectors = points / np.linalg.norm(points, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def drift_of(
    window: Vectors,
    reference: Vectors,
    window_labels: list[str] | None = None,
    reference_labels: list[str] | None = None,
) -> Drift:
    return measure_drift(
        reference,
        window,
        reference_texts=["same words"] * len(reference),
        window_texts=["same words"] * len(window),
        reference_labels=reference_labels,
        window_labels=window_labels,
    )


def draw(n: int, seed: int, shares: tuple[float, ...]) -> list[str]:
    return list(np.random.default_rng(seed).choice(list("abc"), n, p=shares))


REFERENCE = cloud(600, 0)
REFERENCE_LABELS = draw(600, 0, (0.5, 0.3, 0.2))


@pytest.mark.parametrize("n", [30, 300])
def test_unmoved_batches_raise_no_alarm(n: int) -> None:
    found = [
        drift_of(cloud(n, seed), REFERENCE, draw(n, seed, (0.5, 0.3, 0.2)), REFERENCE_LABELS)
        for seed in range(1, 21)
    ]
    assert sum(each.verdict == "drift" for each in found) <= 1


def test_a_strong_shift_of_a_hundred_texts_is_drift() -> None:
    for seed in range(1, 6):
        found = drift_of(cloud(100, seed, shift=3, share=0.5), REFERENCE)
        assert found.verdict == "drift"
        assert [test.drifted for test in found.tests] == [True]


def test_the_stability_index_of_a_moved_batch_leaves_its_customary_band() -> None:
    unmoved, moved = (drift_of(cloud(200, 1, shift=shift), REFERENCE).psi for shift in (0, 3))
    assert unmoved is not None
    assert moved is not None
    assert unmoved < 0.1 < 0.25 < moved


def test_a_shift_of_the_answers_alone_is_drift() -> None:
    labels = draw(200, 1, (0.2, 0.3, 0.5))
    found = drift_of(cloud(200, 1), REFERENCE, labels, REFERENCE_LABELS)
    assert found.verdict == "drift"
    assert {test.name: test.drifted for test in found.tests} == {"texts": False, "labels": True}
    assert [moved.name for moved in found.moved_labels][:2] in (["a", "c"], ["c", "a"])


def test_a_trifle_in_a_large_window_is_significant_but_no_drift() -> None:
    before, now = ["a"] * 10_000 + ["b"] * 10_000, ["a"] * 10_400 + ["b"] * 9_600
    found = drift_of(cloud(20_000, 1), cloud(20_000, 2), now, before)
    labels = next(test for test in found.tests if test.name == "labels")
    assert labels.p_value < 0.01
    assert labels.effect < labels.least_effect
    assert found.verdict == "no drift"
    assert "small, significant" in found.reason


def test_the_same_call_gives_the_same_result() -> None:
    window = cloud(1_200, 3)
    assert drift_of(window, REFERENCE) == drift_of(window, REFERENCE)


def test_the_rows_behind_the_drift_come_first() -> None:
    window = cloud(100, 4, shift=8, share=0.2)
    found = drift_of(window, REFERENCE)
    assert found.verdict == "drift"
    assert len(found.row_scores) == 100
    assert set(found.driving_rows) <= set(range(20))
    assert found.row_scores[found.driving_rows[0]] == max(found.row_scores)


def test_words_that_moved_come_with_both_shares() -> None:
    found = measure_drift(
        REFERENCE,
        cloud(100, 1),
        reference_texts=["The card is late"] * 300 + ["A card is lost"] * 300,
        window_texts=["The crypto card is late"] * 50 + ["A card is lost"] * 50,
    )
    assert [(moved.name, moved.before, moved.now) for moved in found.moved_words] == [
        ("crypto", 0, 0.5)
    ]


def test_too_few_rows_of_either_side_give_no_verdict() -> None:
    for found in (drift_of(cloud(19, 1), REFERENCE), drift_of(REFERENCE, cloud(19, 1))):
        assert found.verdict == "too little data"
        assert found.tests == ()
        assert found.psi is None


def test_an_empty_window_is_too_little_data() -> None:
    nothing = np.empty((0, WIDTH), np.float32)
    assert drift_of(nothing, REFERENCE).verdict == "too little data"


def test_texts_that_are_all_the_same_do_not_drift() -> None:
    same = np.repeat(cloud(1, 0), 50, axis=0)
    assert drift_of(same, same).verdict == "no drift"


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=60),
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=60),
)
def test_a_p_value_is_never_zero_and_an_effect_is_a_share(
    before: list[str], now: list[str]
) -> None:
    found = compare_labels(before, now, np.random.default_rng(0))
    assert 1 / (PERMUTATIONS + 1) <= found.p_value <= 1
    assert 0 <= found.effect <= 1


def test_the_vector_tests_p_values_are_uniform_without_drift() -> None:
    values = [
        compare_vectors(cloud(40, s), cloud(40, s + 1_000), 1.0, np.random.default_rng(s)).p_value
        for s in range(200)
    ]
    for level in (0.05, 0.5, 0.9):  # within four standard errors
        assert np.mean(np.array(values) <= level) == pytest.approx(level, abs=0.28 * level**0.5)
    assert np.mean(np.array(values) <= 0.05) <= 0.11


def test_sides_that_do_not_match_are_refused() -> None:
    with pytest.raises(Invalid, match="differ in width"):
        drift_of(cloud(30, 1)[:, :5], REFERENCE)
    with pytest.raises(Invalid, match="Only one side has labels"):
        drift_of(cloud(30, 1), REFERENCE, window_labels=["a"] * 30)
    with pytest.raises(Invalid, match="The window has 30 texts and 2 labels"):
        drift_of(cloud(30, 1), REFERENCE, ["a", "b"], REFERENCE_LABELS)
    with pytest.raises(Invalid, match="The window has 1 texts and vectors of shape"):
        measure_drift(REFERENCE, REFERENCE, reference_texts=["x"] * 600, window_texts=["x"])
    broken = cloud(30, 1)
    broken[3, 3] = np.nan
    with pytest.raises(Invalid, match="not finite"):
        drift_of(broken, REFERENCE)
