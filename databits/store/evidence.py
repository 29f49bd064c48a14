"""What led to an asset, table by table: the rows, and which change made each of them."""

import heapq
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, select

from databits.store.shapes import Node
from databits.store.tables import (
    audit,
    change_rows,
    databit_versions,
    databits,
    dataset_rows,
    datasets,
    endpoints,
    evaluations,
    feedback,
    items,
    labels,
    models,
    plans,
    records,
    routes,
    sources,
    suggestions,
)
from databits.store.transaction import Transaction

KINDS = ("endpoint", "model", "dataset")
_WORDS = {
    "records": ("text", "fields"),
    "suggestions": ("rationale",),
    "labels": ("reason",),
    "feedback": ("comment",),
    "plans": ("actor",),
}
"""What people and files said; it is in a pack only when asked for."""
_PAGE = 1_000


class Chain(NamedTuple):
    """The few assets that an asset rests on, by id; their rows are many."""

    endpoints: list[int]
    models: list[int]
    datasets: list[int]


def chain_of(tx: Transaction, node: Node) -> Chain:
    """From an endpoint, a model or a dataset back to the datasets it was made from and measured on."""
    served = select(routes.c.model_id).where(routes.c.endpoint_id == node.id)
    made_of = [node.id] if node.kind == "model" else []
    found = [row[0] for row in tx.rows(served)] if node.kind == "endpoint" else made_of
    trained = select(models.c.dataset_id).where(models.c.id.in_(found))
    measured = select(evaluations.c.dataset_id).where(evaluations.c.model_id.in_(found))
    data = [row[0] for row in tx.rows(trained.union(measured))]
    return Chain(
        [node.id] if node.kind == "endpoint" else [],
        sorted(set(found)),
        [node.id] if node.kind == "dataset" else sorted(data),
    )


def tables_of(chain: Chain) -> dict[Table, ColumnElement[bool]]:
    """Which rows of which table led there."""
    queued = select(dataset_rows.c.item_id).where(dataset_rows.c.dataset_id.in_(chain.datasets))
    mine = items.c.id.in_(queued)
    shown = select(items.c.record_id).where(mine)
    came_back = select(items.c.feedback_id).where(mine, items.c.feedback_id.is_not(None))
    read_from = select(records.c.source_id).where(records.c.id.in_(shown))
    frozen = datasets.c.id.in_(chain.datasets)
    worded = select(datasets.c.databit_version_id).where(frozen)
    about = select(datasets.c.databit_id).where(frozen)
    return {
        sources: sources.c.id.in_(read_from),
        records: records.c.id.in_(shown),
        databits: databits.c.id.in_(about),
        databit_versions: databit_versions.c.id.in_(worded),
        feedback: feedback.c.id.in_(came_back),
        items: mine,
        suggestions: suggestions.c.item_id.in_(queued),
        labels: labels.c.item_id.in_(queued),
        datasets: frozen,
        dataset_rows: dataset_rows.c.dataset_id.in_(chain.datasets),
        models: models.c.id.in_(chain.models),
        evaluations: evaluations.c.model_id.in_(chain.models),
        endpoints: endpoints.c.id.in_(chain.endpoints),
        routes: routes.c.endpoint_id.in_(chain.endpoints),
    }


def rows_of(
    tx: Transaction, table: Table, where: ColumnElement[bool], texts: bool
) -> Iterator[dict[str, Any]]:
    """The rows in order of id, each with the `change_id` of the change that made it."""
    made = Origins(tx, table)
    for row in _stream(tx, _columns(table, texts).where(where).order_by(table.c.id)):
        yield {**row, "change_id": made.of(row["id"])}


def events(tx: Transaction) -> Iterator[dict[str, Any]]:
    """The audit log, oldest first."""
    return _stream(tx, select(audit).order_by(audit.c.id))


def plans_of(tx: Transaction, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(ids), _PAGE):
        part = list(ids[start : start + _PAGE])
        yield from _stream(
            tx, _columns(plans, False).where(plans.c.id.in_(part)).order_by(plans.c.id)
        )


class Origins:
    """The change that first made each row of a table; asked in order of id.

    An image stands for one inserted row or for a range of them. A row that was taken back and
    brought again has several; the first is where it comes from.
    """

    def __init__(self, tx: Transaction, table: Table) -> None:
        query = select(change_rows.c.row_id, change_rows.c.last_id, change_rows.c.change_id).where(
            change_rows.c.table_name == table.name, change_rows.c.kind == "insert"
        )
        self._images = _stream(tx, query.order_by(change_rows.c.row_id))
        self._next = next(self._images, None)
        self._open: list[tuple[int, int]] = []  # (change, last row), the first change on top

    def of(self, row_id: int) -> int | None:
        while self._next is not None and self._next["row_id"] <= row_id:
            last = self._next["last_id"] or self._next["row_id"]
            if last >= row_id:
                heapq.heappush(self._open, (self._next["change_id"], last))
            self._next = next(self._images, None)
        self._open = [(change, last) for change, last in self._open if last >= row_id]
        return min(self._open)[0] if self._open else None


def _columns(table: Table, texts: bool) -> Select[Any]:
    hidden = () if texts else _WORDS.get(table.name, ())
    return select(*(column for column in table.c if column.name not in hidden))


def _stream(tx: Transaction, query: Select[Any]) -> Iterator[dict[str, Any]]:
    for row in tx.db.execute(query.execution_options(yield_per=_PAGE)):
        yield dict(row._mapping)
