import json
from pathlib import Path

import numpy as np
import pytest

from databits.engines import logistic
from databits.engines.embedding import Embedder, Vectors
from databits.engines.head import MAX_TERMS, Head, Wording
from databits.errors import Invalid, NotFound

CAUSES = {
    "refund": ["I want my money back", "please refund the order", "return payment for"],
    "login": ["I cannot sign in", "my password is rejected", "the login page fails with"],
    "delivery": ["the parcel is late", "where is my shipment", "the courier never came with"],
}
THINGS = ["the shoes", "my account", "order 17", "the blue lamp", "a gift", "the app", "two books"]
TEXTS = [f"{cause} {thing}" for causes in CAUSES.values() for cause in causes for thing in THINGS]
LABELS = [name for name, causes in CAUSES.items() for _ in causes for _ in THINGS]


@pytest.fixture(scope="module")
def vectors(embedder: Embedder) -> Vectors:
    return embedder.embed(TEXTS)


@pytest.fixture(scope="module")
def head(vectors: Vectors) -> Head:
    return Head.fit(TEXTS, vectors, LABELS)


def test_a_head_labels_what_it_has_not_seen(head: Head, embedder: Embedder) -> None:
    asked = ["could you give me a refund", "sign-in does not accept my password", "parcel is lost"]
    found = head.predict(asked, embedder.embed(asked))
    assert [label for label, _ in found] == ["refund", "login", "delivery"]
    assert all(0.5 < confidence <= 1 for _, confidence in found)


def test_labels_are_sorted_and_probabilities_sum_to_one(head: Head, vectors: Vectors) -> None:
    assert head.labels == ("delivery", "login", "refund")
    probabilities = head.predict_proba(TEXTS, vectors)
    assert probabilities.shape == (len(TEXTS), 3)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all()


def test_a_loaded_head_answers_the_same_to_the_last_bit(
    head: Head, vectors: Vectors, tmp_path: Path
) -> None:
    head.save(tmp_path / "head")
    loaded = Head.load(tmp_path / "head")
    assert loaded.labels == head.labels
    before, after = (h.predict_proba(TEXTS, vectors).tobytes() for h in (head, loaded))
    assert before == after


def test_the_same_rows_and_seed_give_the_same_head(head: Head, vectors: Vectors) -> None:
    again = Head.fit(TEXTS, vectors, LABELS)
    assert np.array_equal(head.predict_proba(TEXTS, vectors), again.predict_proba(TEXTS, vectors))


def test_two_labels_are_enough(vectors: Vectors) -> None:
    rows = [row for row, label in enumerate(LABELS) if label != "login"]
    texts, labels = [TEXTS[row] for row in rows], [LABELS[row] for row in rows]
    found = Head.fit(texts, vectors[rows], labels).predict(texts, vectors[rows])
    assert [label for label, _ in found] == labels


def test_two_rows_a_label_are_enough(embedder: Embedder) -> None:
    rows = [row for name in CAUSES for row in (LABELS.index(name), LABELS.index(name) + 7)]
    texts, labels = [TEXTS[row] for row in rows], [LABELS[row] for row in rows]
    small = Head.fit(texts, embedder.embed(texts), labels)
    found = small.predict(TEXTS, embedder.embed(TEXTS))
    assert np.mean([label == right for (label, _), right in zip(found, LABELS, strict=True)]) > 0.7


def test_texts_without_a_single_word_still_train(vectors: Vectors, tmp_path: Path) -> None:
    blank = [""] * len(TEXTS)
    wordless = Head.fit(blank, vectors, LABELS)
    wordless.save(tmp_path)
    assert Head.load(tmp_path).predict(blank, vectors) == wordless.predict(blank, vectors)


def test_a_fit_in_the_rows_own_span_is_the_same_fit(vectors: Vectors) -> None:
    features = Wording.learn(TEXTS).features(TEXTS, vectors)
    codes = np.unique(LABELS, return_inverse=True)[1]
    rows, expand = logistic.compact(features)
    compact, _ = logistic.fit_logistic(rows, codes)
    whole, _ = logistic.fit_logistic(features, codes)
    assert rows.shape[1] <= len(TEXTS) < features.shape[1]
    assert np.allclose(features @ expand(compact).T, features @ whole.T, atol=0.02)


def test_no_texts_give_no_answers(head: Head) -> None:
    nothing = np.empty((0, 384), np.float32)
    assert head.predict([], nothing) == []
    assert head.predict_proba([], nothing).shape == (0, 3)


def test_one_label_is_refused(vectors: Vectors) -> None:
    with pytest.raises(Invalid, match="63 rows have 1 different labels"):
        Head.fit(TEXTS, vectors, ["refund"] * len(TEXTS))


def test_a_label_with_a_single_row_is_refused_with_counts_and_not_names(vectors: Vectors) -> None:
    with pytest.raises(Invalid, match="1 of 4 labels have one row only") as refusal:
        Head.fit(TEXTS, vectors, ["secret name", *LABELS[1:]])
    assert "secret" not in str(refusal.value)


def test_rows_that_do_not_match_are_refused(head: Head, vectors: Vectors) -> None:
    with pytest.raises(Invalid, match="63 texts came with 2 labels"):
        Head.fit(TEXTS, vectors, ["a", "b"])
    with pytest.raises(Invalid, match="vectors of shape"):
        Head.fit(TEXTS[1:], vectors, LABELS[1:])
    with pytest.raises(Invalid, match="trained on 384"):
        head.predict(TEXTS, vectors[:, :10])


def test_a_missing_head_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Train it again"):
        Head.load(tmp_path)


def test_pickled_arrays_are_never_read(head: Head, tmp_path: Path) -> None:
    head.save(tmp_path)
    np.savez(tmp_path / "head.npz", coefficients=np.array([object()], dtype=object))
    with pytest.raises(Invalid, match="damaged"):
        Head.load(tmp_path)


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 1}'])
def test_a_damaged_description_is_refused(head: Head, tmp_path: Path, damage: str) -> None:
    head.save(tmp_path)
    (tmp_path / "head.json").write_text(damage)
    with pytest.raises(Invalid, match="damaged"):
        Head.load(tmp_path)


def test_arrays_that_do_not_fit_the_description_are_refused(head: Head, tmp_path: Path) -> None:
    head.save(tmp_path)
    described = json.loads((tmp_path / "head.json").read_text())
    (tmp_path / "head.json").write_text(json.dumps({**described, "labels": ["a", "b"]}))
    with pytest.raises(Invalid, match="another version"):
        Head.load(tmp_path)


def test_the_vocabulary_is_bounded() -> None:
    many = [" ".join(f"{number:x}" for number in range(20_000))]
    assert [len(terms) for terms in Wording.learn(many).vocabularies] == [MAX_TERMS, MAX_TERMS]
