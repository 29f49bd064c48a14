"""The local gateway: endpoints answered in this process, on Databricks' own invocation path."""

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

import pandas as pd

from databits import tracking
from databits.errors import Invalid, NotReady
from databits.ports import Answer
from databits.settings import Settings
from databits.store.database import Database
from databits.store.endpoints import Route
from databits.store.shapes import now

log = logging.getLogger("databits.serving")


class Gateway:
    """Loads the models that routes name, once each, and keeps the request log."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: dict[str, Any] = {}
        self._loading = threading.Lock()

    def answer(
        self, database: Database, endpoint: str, texts: Sequence[str], actor: str
    ) -> list[Answer]:
        """Ask the endpoint's model and log one request a text, answered or not."""
        live = database.read(lambda store: store.endpoints.routes(endpoint))
        if not live:
            raise NotReady(f"{endpoint} serves no model. deploy_model gives it one.")
        route = live[0]
        begun = time.perf_counter()
        try:
            found = self._predict(route.uri, texts)
        except Exception:
            log.exception("the model %s of %s failed", route.model, endpoint)
            self._log(database, route, texts, None, begun, actor)
            raise NotReady(
                f"The model {route.model} could not answer; the request was logged as an error. "
                "Look at query_metrics, and deploy another version."
            ) from None
        return self._log(database, route, texts, found, begun, actor)

    def smoke_test(self, uri: str, texts: Sequence[str]) -> None:
        try:
            found = self._predict(uri, texts)
        except Exception:
            log.exception("the smoke test of %s failed", uri)
            raise NotReady(
                "The model does not load or does not answer; nothing was deployed."
            ) from None
        if len(found) != len(texts) or not all(label for label, _ in found):
            raise NotReady(
                "The model does not answer each text with a label; nothing was deployed."
            )

    def _predict(self, uri: str, texts: Sequence[str]) -> list[tuple[str, float]]:
        frame = self._model(uri).predict(pd.DataFrame({"text": list(texts)}))
        return [
            (str(label), float(sure))
            for label, sure in zip(frame["label"], frame["confidence"], strict=True)
        ]

    def _model(self, uri: str) -> Any:
        with self._loading:
            if uri not in self._models:
                self._models[uri] = tracking.load(self._settings, uri)
            return self._models[uri]

    def _log(
        self,
        database: Database,
        route: Route,
        texts: Sequence[str],
        found: Sequence[tuple[str, float]] | None,
        begun: float,
        actor: str,
    ) -> list[Answer]:
        each_us = int((time.perf_counter() - begun) * 1e6 / len(texts))
        ids = [f"req_{uuid.uuid4().hex}" for _ in texts]
        moment = now()
        given: Sequence[tuple[str | None, float | None]] = found or [(None, None)] * len(texts)
        rows = [
            {
                "endpoint_id": route.endpoint_id,
                "model_id": route.model_id,
                "request_id": request_id,
                "text": text,
                "answer": label,
                "confidence": sure,
                "latency_us": each_us,
                "status_code": 500 if found is None else 200,
                "actor": actor,
                "created_at": moment,
            }
            for request_id, text, (label, sure) in zip(ids, texts, given, strict=True)
        ]
        database.write(lambda store: store.endpoints.log(rows))
        return [
            Answer(request_id, label, sure, route.model, each_us / 1000)
            for request_id, (label, sure) in zip(ids, given, strict=True)
        ]


def texts_of(payload: Any) -> list[str]:
    """The texts of a scoring request in any of the formats Model Serving takes.

    `dataframe_records` [{"text": …}], `dataframe_split` {"columns", "data"}, `instances` or `inputs`
    (texts, or objects with `text`).

    Raises:
        Invalid: saying which formats there are.
    """
    try:
        texts = [row["text"] if isinstance(row, dict) else row for row in _rows(payload)]
    except (KeyError, IndexError, StopIteration, TypeError, ValueError):
        texts = []
    if not texts or not all(isinstance(text, str) for text in texts):
        raise Invalid(
            'The body is JSON with texts, as {"dataframe_records": [{"text": "…"}]}, {"instances": ["…"]}, '
            '{"inputs": ["…"]} or {"dataframe_split": {"columns": ["text"], "data": [["…"]]}}.'
        )
    return texts


def _rows(payload: Any) -> list[Any]:
    """The rows of a request; what is of another shape fails with one of the errors above."""
    if "dataframe_split" in payload:
        split = payload["dataframe_split"]
        place = split["columns"].index("text")
        return [row[place] for row in split["data"]]
    found = next(payload[k] for k in ("dataframe_records", "instances", "inputs") if k in payload)
    if isinstance(found, dict):  # {"inputs": {"text": [...]}}: a column
        found = found["text"]
    return [found] if isinstance(found, str) else list(found)
