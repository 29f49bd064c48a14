"""What people said of an endpoint's answers."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select

from databits.store.shapes import now
from databits.store.tables import feedback, items, requests
from databits.store.transaction import Transaction


class FeedbackNotes:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(
        self, request_row_id: int, score: int, correction: str | None, comment: str, actor: str
    ) -> int:
        return self._tx.add(
            feedback,
            request_id=request_row_id,
            score=score,
            correction=correction,
            comment=comment,
            actor=actor,
            created_at=now(),
        )

    def of_endpoint(self, endpoint_id: int) -> Sequence[Row[Any]]:
        """The newest note on each request of an endpoint."""
        newest = select(func.max(feedback.c.id)).group_by(feedback.c.request_id)
        return self._tx.rows(
            select(feedback)
            .join(requests, requests.c.id == feedback.c.request_id)
            .where(requests.c.endpoint_id == endpoint_id, feedback.c.id.in_(newest))
            .order_by(feedback.c.id)
        )

    def scores(self, endpoint_id: int) -> dict[int, int]:
        """How many requests have each score, by their newest note."""
        found: dict[int, int] = {-1: 0, 0: 0, 1: 0}
        for row in self.of_endpoint(endpoint_id):
            found[row.score] = found.get(row.score, 0) + 1
        return found

    def count_candidates(self, databit_id: int) -> int:
        """Items of a Databit that came back from production."""
        return self._tx.count(items, items.c.databit_id == databit_id, items.c.why.is_not(None))
