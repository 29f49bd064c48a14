"""Training and evaluation on one machine: a classifier head on embeddings, kept in MLflow."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from databits import tracking
from databits.change import Work
from databits.engines.embedding import Embedder, Vectors
from databits.engines.head import Head
from databits.engines.vectors import record_vectors
from databits.evaluate import evaluate
from databits.model import Dataset
from databits.settings import Settings
from databits.store.training import DatasetRow

STRATEGY = "classifier-head"
_EXAMPLE_ROWS = 3


class Trained(NamedTuple):
    version: int
    strategy: str
    labels: list[str]
    uri: str
    mlflow_run: str
    seconds: float


class Training:
    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        self._settings = settings
        self._embedder = embedder

    def fit(
        self, work: Work, name: str, dataset: Dataset, rows: Sequence[DatasetRow], seed: int
    ) -> Trained:
        """Train on the rows, log the model to MLflow with signature and example, register it.

        Raises:
            Invalid: when the rows can not make a classifier; Cancelled: when the run was cancelled.
        """
        begun = time.perf_counter()
        vectors = self._vectors(work, rows, share=0.6)
        work.progress(0.6, f"training on {len(rows)} rows")
        head = Head.fit([r.text for r in rows], vectors, [r.label for r in rows], seed=seed)
        seconds = time.perf_counter() - begun
        work.progress(0.8, "registering the model in MLflow")
        with tempfile.TemporaryDirectory(prefix="databits-") as folder:
            head.save(Path(folder) / "head")
            made = tracking.log_classifier(
                self._settings,
                name,
                Path(folder) / "head",
                params={
                    "strategy": STRATEGY,
                    "embedding": self._embedder.name,
                    "dataset": dataset.name,
                    "rows": len(rows),
                    "seed": seed,
                },
                metrics={"train_seconds": seconds, "train_rows": len(rows)},
                tags={
                    "databits.dataset": dataset.name,
                    "databits.dataset_sha256": dataset.sha256,
                    "databits.run": str(work.run_id),
                },
                example=[r.text[:500] for r in rows[:_EXAMPLE_ROWS]],
            )
        return Trained(made.version, STRATEGY, list(head.labels), made.uri, made.run_id, seconds)

    def evaluate(self, work: Work, model: Any, rows: Sequence[DatasetRow]) -> dict[str, Any]:
        """Let the registered model answer held-out rows and measure it.

        Args:
            model: the model's row in the store.

        Returns:
            An `Evaluation` as JSON.
        """
        import pandas as pd

        work.progress(0.1, "loading the model")
        loaded = tracking.load(self._settings, model.uri)
        work.progress(0.3, f"answering {len(rows)} held-out rows")
        answers = loaded.predict(pd.DataFrame({"text": [r.text for r in rows]}))
        found = evaluate(
            [r.label for r in rows],
            [str(label) for label in answers["label"]],
            [float(sure) for sure in answers["confidence"]],
            model.labels,
        )
        report = found.model_dump(mode="json")
        work.progress(0.9, "logging the evaluation to MLflow")
        tracking.log_evaluation(
            self._settings,
            model.mlflow_run,
            {
                "test_accuracy": found.accuracy.value,
                "test_macro_f1": found.macro_f1.value,
                "test_rows": found.n,
            },
            report,
        )
        return report

    def _vectors(self, work: Work, rows: Sequence[DatasetRow], share: float) -> Vectors:
        """Vectors in the order of the rows; `share` is the part of the progress this takes."""
        found = record_vectors(
            self._embedder,
            {r.record_id: r.text for r in rows},
            read=work.read,
            keep=work.keep,
            progress=lambda done, message: work.progress(share * done, message),
        )
        return found
