"""Suggestions for undecided items: the few-shot engine over cached vectors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from databits.change import Work
from databits.engines.embedding import Embedder
from databits.engines.few_shot import suggest
from databits.engines.vectors import record_vectors
from databits.store.databits import DatabitVersion
from databits.template import LabelSpec

ENGINE = "few-shot"


class Suggested(NamedTuple):
    item_id: int
    label: str
    confidence: float
    rationale: str


class Suggestions(NamedTuple):
    suggestions: list[Suggested]
    engine: str
    examples: int
    """Approved items that the engine learnt from."""


class Labeling:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def suggest(self, work: Work, databit: DatabitVersion, rows: Sequence[Any]) -> Suggestions:
        """Suggest a label for each row (item_id, record_id, text) of a Databit.

        What has been approved so far serves as examples; with none, the labels' names and
        guidelines must do.
        """
        known = set(databit.labels)
        approved = [
            r
            for r in work.read(lambda store: store.items.training_rows(databit.databit_id))
            if r.label in known
        ]
        texts = {r.record_id: r.text for r in [*approved, *rows]}
        vectors = record_vectors(
            self._embedder,
            texts,
            read=work.read,
            keep=work.keep,
            progress=lambda done, message: work.progress(0.8 * done, message),
        )
        place = {record_id: n for n, record_id in enumerate(texts)}
        work.progress(0.8, f"comparing {len(rows)} items with {len(approved)} examples")
        label_texts = [_sentence(label) for label in databit.body.labels]
        found = suggest(
            [r.text for r in rows],
            vectors[[place[r.record_id] for r in rows]],
            databit.body.labels,
            self._embedder.embed(label_texts),
            [r.text for r in approved],
            vectors[[place[r.record_id] for r in approved]],
            [r.label for r in approved],
        )
        return Suggestions(
            [
                Suggested(row.item_id, s.label, round(s.confidence, 4), s.rationale)
                for row, s in zip(rows, found, strict=True)
            ],
            f"{ENGINE} on {self._embedder.name}",
            len(approved),
        )


def _sentence(label: LabelSpec) -> str:
    """A label as text to compare with; `card_arrival` reads as words."""
    name = label.name.replace("_", " ")
    return f"{name}: {label.guideline}" if label.guideline else name
