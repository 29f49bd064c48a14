"""A text classifier that trains in seconds on a CPU: logistic regression over two views of a text.

The views are the sentence vector (meaning) and TF-IDF of words and character n-grams (wording).
Sentence vectors alone lose to TF-IDF on legal language and win on short messages; the two
together were the better choice or within two points of it on everything measured.
"""

import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from scipy import sparse, special
from sklearn.feature_extraction.text import TfidfVectorizer

from databits.engines.embedding import Vectors
from databits.engines.logistic import Codes, Floats, Matrix, compact, fit_logistic, sharpness
from databits.errors import Invalid, NotFound

MAX_TERMS: Final = 10_000  # of each kind; 20,000 take twice as long for 0.1 points
WORDING_WEIGHT: Final = 0.5  # of each kind's row, of length 1, beside the vector, of length 1
FORMAT: Final = 1


class Wording:
    """TF-IDF of words (1-2) and of characters within words (3-5): (n, terms) float32, sparse.

    Salton and Buckley (1988), with sublinear term frequency (1 + log tf) and rows of length 1
    for each of the two kinds of term.
    """

    def __init__(self, vocabularies: Sequence[Sequence[str]], idf: Sequence[Vectors]) -> None:
        self.vocabularies = tuple(tuple(terms) for terms in vocabularies)
        self.idf = tuple(idf)
        self._vectorizers = []
        for new, terms, weights in zip(_vectorizers(), self.vocabularies, self.idf, strict=True):
            if terms:  # no text of an alphabet may have words, but none at all is no vocabulary
                new.set_params(vocabulary={term: column for column, term in enumerate(terms)})
                new.idf_ = weights
                self._vectorizers.append(new)

    @classmethod
    def learn(cls, texts: Sequence[str]) -> Self:
        """The most frequent terms of `texts`, at most MAX_TERMS of each kind."""
        vocabularies: list[Sequence[str]] = []
        idf: list[Vectors] = []
        for vectorizer in _vectorizers():
            analyze = vectorizer.build_analyzer()
            found = any(analyze(text) for text in texts)
            if found:
                vectorizer.fit(texts)
            vocabularies.append(vectorizer.get_feature_names_out().tolist() if found else [])
            idf.append(vectorizer.idf_.astype(np.float32) if found else np.empty(0, np.float32))
        return cls(vocabularies, idf)

    def features(self, texts: Sequence[str], vectors: Vectors) -> Matrix:
        """Sentence vectors and weighted TF-IDF side by side: (n, dimension + terms), CSR."""
        views = [WORDING_WEIGHT * vectorizer.transform(texts) for vectorizer in self._vectorizers]
        return sparse.hstack([sparse.csr_matrix(vectors), *views], format="csr", dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Head:
    """A trained classifier. Make one with `fit` or `load`; it never changes afterwards."""

    labels: tuple[str, ...]
    """Sorted; the columns of `predict_proba`."""
    wording: Wording
    coefficients: Vectors
    """(k, dimension + terms)"""
    intercepts: Floats
    """(k,)"""
    dimension: int
    """Of the sentence vectors it was trained on."""

    @classmethod
    def fit(
        cls, texts: Sequence[str], vectors: Vectors, labels: Sequence[str], *, seed: int = 0
    ) -> Self:
        """Train on n texts, their (n, dimension) unit vectors and their labels.

        A penalised regression on few rows is far too modest, so `sharpness` sets how sure the
        probabilities are. 10,000 rows of 77 labels take about 20 s on two cores.

        Args:
            seed: decides which rows `sharpness` keeps out; the labels predicted never depend on it.

        Raises:
            Invalid: lengths differ, fewer than two labels occur, or a label has a single row.
        """
        _check_aligned(texts, vectors, labels)
        names, codes = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
        _check_counts(np.bincount(codes, minlength=len(names)))
        wording = Wording.learn(texts)
        features = wording.features(texts, vectors)
        rows, expand = compact(features)
        factor = sharpness(rows, codes, np.ones(len(codes), bool), seed)
        coefficients, intercepts = fit_logistic(rows, codes)
        return cls(
            labels=tuple(names.tolist()),
            wording=wording,
            coefficients=(expand(coefficients) * factor).astype(np.float32),
            intercepts=intercepts * factor,
            dimension=vectors.shape[1],
        )

    def predict_proba(self, texts: Sequence[str], vectors: Vectors) -> Floats:
        """Probability of each label, columns as `labels`: (n, k), rows sum to 1."""
        _check_aligned(texts, vectors)
        if len(texts) == 0:
            return np.empty((0, len(self.labels)))
        if vectors.shape[1] != self.dimension:
            raise Invalid(
                f"The vectors have {vectors.shape[1]} numbers each; this model was trained on "
                f"{self.dimension}. Embed the texts with the model it was trained with."
            )
        features = self.wording.features(texts, vectors)
        logits = features @ self.coefficients.T + self.intercepts
        probabilities: Floats = special.softmax(logits, axis=1)
        return probabilities

    def predict(self, texts: Sequence[str], vectors: Vectors) -> list[tuple[str, float]]:
        """The likeliest label of each text and its probability."""
        probabilities = self.predict_proba(texts, vectors)
        best = probabilities.argmax(axis=1)
        return [
            (self.labels[column], float(probabilities[row, column]))
            for row, column in enumerate(best)
        ]

    def save(self, folder: Path | str) -> None:
        """Write head.json and head.npz into `folder`, which is made if needed.

        Nothing is pickled, so a file from elsewhere can hold wrong numbers but never code.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        words, characters = self.wording.vocabularies
        described = {
            "format": FORMAT,
            "dimension": self.dimension,
            "labels": self.labels,
            "words": words,
            "characters": characters,
        }
        (folder / "head.json").write_text(json.dumps(described), encoding="utf-8")
        np.savez(
            folder / "head.npz",
            coefficients=self.coefficients,
            intercepts=self.intercepts,
            idf_words=self.wording.idf[0],
            idf_characters=self.wording.idf[1],
        )

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """The head that `save` wrote; its probabilities are the same to the last bit.

        Raises:
            NotFound: nothing was saved there.
            Invalid: the files are damaged or of another version.
        """
        folder = Path(folder)
        try:
            described = json.loads((folder / "head.json").read_text(encoding="utf-8"))
            with np.load(folder / "head.npz", allow_pickle=False) as arrays:
                idf = (arrays["idf_words"], arrays["idf_characters"])
                coefficients, intercepts = arrays["coefficients"], arrays["intercepts"]
            labels = tuple(described["labels"])
            vocabularies = (described["words"], described["characters"])
            dimension, version = int(described["dimension"]), described["format"]
        except FileNotFoundError as error:
            raise NotFound("There is no trained model in that folder. Train it again.") from error
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise Invalid("The trained model's files are damaged. Train it again.") from error
        width = dimension + sum(len(terms) for terms in vocabularies)
        shapes = [coefficients.shape, intercepts.shape, *(weights.shape for weights in idf)]
        fits = [(len(labels), width), (len(labels),), *((len(terms),) for terms in vocabularies)]
        if version != FORMAT or shapes != fits:
            raise Invalid("The trained model was saved by another version. Train it again.")
        return cls(labels, Wording(vocabularies, idf), coefficients, intercepts, dimension)


def _vectorizers() -> Iterable[Any]:
    shared = {"sublinear_tf": True, "max_features": MAX_TERMS, "dtype": np.float32}
    yield TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", **shared)
    yield TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared)


def _check_aligned(
    texts: Sequence[str], vectors: Vectors, labels: Sequence[str] | None = None
) -> None:
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise Invalid(
            f"{len(texts)} texts came with vectors of shape {vectors.shape}. Embed these texts."
        )
    if labels is not None and len(labels) != len(texts):
        raise Invalid(f"{len(texts)} texts came with {len(labels)} labels. Give one label a text.")


def _check_counts(counts: Codes) -> None:
    if len(counts) < 2:
        raise Invalid(
            f"The {counts.sum()} rows have {len(counts)} different labels; a classifier needs "
            "two or more. Approve items of another label first."
        )
    single = int((counts < 2).sum())
    if single:
        raise Invalid(
            f"{single} of {len(counts)} labels have one row only; each needs two or more. "
            "Approve more items of those labels, or leave those labels out."
        )
