"""Drift of an endpoint's requests against what its model was trained on."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from databits.candidates import Request
from databits.drift import Drift, measure_drift
from databits.engines.embedding import Embedder
from databits.engines.vectors import record_vectors
from databits.errors import NotReady
from databits.readers import text_sha
from databits.store import Store
from databits.store.endpoints import Route

T = TypeVar("T")
_WINDOW = 1_000  # requests looked at for candidates, the newest
_SHOWN = 5


class Reads(Protocol):
    """What reads the store, and keeps vectors in it: a database, or the work of a run."""

    def read(self, fn: Callable[[Store], T]) -> T: ...

    def keep(self, fn: Callable[[Store], T]) -> T: ...


class Monitoring:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def drift(self, data: Reads, endpoint: str, window: int) -> dict[str, Any]:
        """The newest `window` requests of an endpoint against its model's training split.

        Returns:
            The fields of a `DriftReport`.
        """
        route = data.read(lambda store: _route(store, endpoint))
        requests = data.read(lambda store: store.endpoints.window(endpoint, 0, window))
        found = self._measure(data, route, requests)
        return {
            "endpoint": endpoint,
            "requests": len(requests),
            "reference": data.read(lambda store: store.models.get(route.model).dataset),
            "verdict": found.verdict,
            "reason": found.reason,
            "tests": [test.model_dump() for test in found.tests],
            "psi": found.psi,
            "moved_labels": [share.model_dump() for share in found.moved_labels],
            "moved_words": [share.model_dump() for share in found.moved_words],
            "most_unlike": [requests[n].request_id for n in found.driving_rows[:_SHOWN]],
        }

    def candidate_rows(self, data: Reads, endpoint: str) -> tuple[list[Request], set[str]]:
        """The newest requests with what is known of each, and digests of the texts already queued.

        A request carries a drift score only when the endpoint drifts.
        """
        route = data.read(lambda store: _route(store, endpoint))
        requests = data.read(lambda store: store.endpoints.window(endpoint, 0, _WINDOW))
        if not requests:
            raise NotReady(f"{endpoint} has answered nothing yet. query_endpoint asks it.")
        notes = data.read(
            lambda store: {n.request_id: n for n in store.feedback.of_endpoint(route.endpoint_id)}
        )
        found = self._measure(data, route, requests)
        rows = [
            Request(
                request_id=r.id,
                text=r.text,
                predicted=r.answer,
                confidence=r.confidence,
                feedback=notes[r.id].score if r.id in notes else 0,
                correction=notes[r.id].correction if r.id in notes else None,
                drift=score,
            )
            for r, score in zip(requests, _shares(found, len(requests)), strict=True)
            if r.answer is not None
        ]
        return rows, data.read(lambda store: _queued_texts(store, route))

    def _measure(self, data: Reads, route: Route, requests: Sequence[Any]) -> Drift:
        model = data.read(lambda store: store.models.by_id(route.model_id))
        rows = data.read(lambda store: store.datasets.rows(model.dataset_id, "train"))
        reference = record_vectors(
            self._embedder, {r.record_id: r.text for r in rows}, read=data.read, keep=data.keep
        )
        answered = [r for r in requests if r.answer is not None]
        complete = len(answered) == len(requests)
        return measure_drift(
            reference,
            self._embedder.embed([r.text for r in requests]),
            reference_texts=[r.text for r in rows],
            window_texts=[r.text for r in requests],
            reference_labels=[r.label for r in rows] if complete else None,
            window_labels=[r.answer for r in requests] if complete else None,
        )


def _route(store: Store, endpoint: str) -> Route:
    live = store.endpoints.routes(endpoint)
    if not live:
        raise NotReady(f"{endpoint} serves no model. deploy_model gives it one.")
    return live[0]


def _queued_texts(store: Store, route: Route) -> set[str]:
    """Digests of the texts that are in the Databit's queue already."""
    dataset = store.models.get(route.model).dataset
    target = store.databits.get(dataset.partition("@")[0])
    return {text_sha(text) for text in store.items.texts(target.databit_id)}


def _shares(found: Drift, count: int) -> Sequence[float | None]:
    """Scores of the rows on 0 to 1 with 0.5 for neither here nor there; none without drift."""
    if found.verdict != "drift":
        return [None] * count
    most = max((abs(score) for score in found.row_scores), default=0.0) or 1.0
    return [0.5 + score / most / 2 for score in found.row_scores]
