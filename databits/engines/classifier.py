"""The classifier as an MLflow model: code and plain data, nothing pickled.

MLflow runs this file when it loads the model (models from code). The folder `head` beside it holds
arrays and JSON only.
"""

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from databits.engines.embedding import shared_embedder
from databits.engines.head import Head


class TextClassifier(PythonModel):
    """Column `text` in, columns `label` and `confidence` (0 to 1) out."""

    def load_context(self, context: PythonModelContext) -> None:
        self._head = Head.load(context.artifacts["head"])
        self._embedder = shared_embedder()

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        texts = [str(text) for text in model_input["text"]]
        found = self._head.predict(texts, self._embedder.embed(texts))
        return pd.DataFrame(found, columns=["label", "confidence"])


mlflow.models.set_model(TextClassifier())
