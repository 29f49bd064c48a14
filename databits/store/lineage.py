"""Lineage: the foreign keys, read in both directions.

There is no table of edges to fall out of step: what an asset was made from is what its rows point
at, so lineage is exactly as true as the data.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy import Select, select

from databits.errors import Invalid, NotFound
from databits.store.names import span
from databits.store.shapes import Edge, Node
from databits.store.tables import (
    databits,
    dataset_rows,
    datasets,
    endpoints,
    feedback,
    items,
    models,
    records,
    requests,
    routes,
    sources,
)
from databits.store.tools import Tools
from databits.store.training import Datasets, Models
from databits.store.transaction import Transaction
from databits.types import KINDS

COUNTED = 10_000  # neighbours that are counted: a dataset of a million rows must not cost a count


class Step(NamedTuple):
    """The neighbours of one kind, and how many there are in all, counted up to `COUNTED`."""

    relation: str
    nodes: list[Node]
    total: int
    more: bool
    """Whether there are more than `total`."""


_ID = re.compile(r"[0-9]{1,18}")

# kind → (relation, other kind, query of the other's ids given one id)
_Query = Callable[[int], Select[Any]]
_UP: dict[str, list[tuple[str, str, _Query]]] = {
    "record": [
        ("read from", "source", lambda i: select(records.c.source_id).where(records.c.id == i))
    ],
    "item": [
        ("shows", "record", lambda i: select(items.c.record_id).where(items.c.id == i)),
        ("queued for", "databit", lambda i: select(items.c.databit_id).where(items.c.id == i)),
        (
            "came back through",
            "feedback",
            lambda i: select(items.c.feedback_id).where(
                items.c.id == i, items.c.feedback_id.is_not(None)
            ),
        ),
    ],
    "dataset": [
        (
            "holds",
            "item",
            lambda i: select(dataset_rows.c.item_id).where(dataset_rows.c.dataset_id == i),
        ),
        (
            "assembled for",
            "databit",
            lambda i: select(datasets.c.databit_id).where(datasets.c.id == i),
        ),
    ],
    "model": [
        ("trained on", "dataset", lambda i: select(models.c.dataset_id).where(models.c.id == i))
    ],
    "endpoint": [
        (
            "serves",
            "model",
            lambda i: select(routes.c.model_id).where(
                routes.c.endpoint_id == i, routes.c.retired_at.is_(None)
            ),
        )
    ],
    "request": [
        ("answered by", "model", lambda i: select(requests.c.model_id).where(requests.c.id == i)),
        ("sent to", "endpoint", lambda i: select(requests.c.endpoint_id).where(requests.c.id == i)),
    ],
    "feedback": [
        ("about", "request", lambda i: select(feedback.c.request_id).where(feedback.c.id == i))
    ],
}
_DOWN: dict[str, list[tuple[str, str, _Query]]] = {
    "source": [("holds", "record", lambda i: select(records.c.id).where(records.c.source_id == i))],
    "record": [("queued as", "item", lambda i: select(items.c.id).where(items.c.record_id == i))],
    "databit": [
        (
            "was assembled into",
            "dataset",
            lambda i: select(datasets.c.id).where(datasets.c.databit_id == i),
        )
    ],
    "item": [
        (
            "is in",
            "dataset",
            lambda i: select(dataset_rows.c.dataset_id).where(dataset_rows.c.item_id == i),
        ),
    ],
    "dataset": [
        ("trained", "model", lambda i: select(models.c.id).where(models.c.dataset_id == i))
    ],
    "model": [
        (
            "served by",
            "endpoint",
            lambda i: select(routes.c.endpoint_id).where(routes.c.model_id == i).distinct(),
        ),
    ],
    "endpoint": [
        ("answered", "request", lambda i: select(requests.c.id).where(requests.c.endpoint_id == i))
    ],
    "request": [
        (
            "was judged by",
            "feedback",
            lambda i: select(feedback.c.id).where(feedback.c.request_id == i),
        )
    ],
    "feedback": [
        ("came back as", "item", lambda i: select(items.c.id).where(items.c.feedback_id == i))
    ],
}


class Lineage:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._labels: dict[Node, str] = {}

    def find(self, ref: str) -> Node:
        """`model:support@1` → the node.

        Raises:
            Invalid: when the kind is none of `KINDS`.
            NotFound: when nothing of that kind has that name or id.
        """
        kind, _, name = ref.partition(":")
        if kind not in KINDS or not name:
            raise Invalid(f"An asset is kind:id, where kind is one of {', '.join(KINDS)}.")
        named: dict[str, Callable[[], Any]] = {
            "source": lambda: self._tx.value(select(sources.c.id).where(sources.c.name == name)),
            "databit": lambda: self._tx.value(select(databits.c.id).where(databits.c.name == name)),
            "endpoint": lambda: self._tx.value(
                select(endpoints.c.id).where(endpoints.c.name == name)
            ),
            "dataset": lambda: Datasets(self._tx).raw(name).id,
            "model": lambda: Models(self._tx).raw(name).id,
            "request": lambda: self._tx.value(
                select(requests.c.id).where(requests.c.request_id == name)
            ),
            "tool": lambda: Tools(self._tx).id_of(name),
        }
        if kind in named:
            found = named[kind]()
        else:
            table = {"record": records, "item": items, "feedback": feedback}[kind]
            found = (
                self._tx.value(select(table.c.id).where(table.c.id == int(name)))
                if _ID.fullmatch(name)
                else None
            )
        if found is None:
            raise NotFound(f"There is no {kind} of that name or id.")
        return Node(kind, int(found))

    def neighbours(self, node: Node, *, up: bool, limit: int) -> list[Step]:
        """What a node was made from (`up`), or what was made from it; at most `limit` a kind."""
        steps = []
        for relation, kind, query in (_UP if up else _DOWN).get(node.kind, []):
            ids = query(node.id).subquery()
            found = self._tx.rows(select(ids).order_by(*ids.c).limit(limit + 1))
            total = len(found)
            if total > limit:
                some = select(ids).limit(COUNTED + 1).subquery()
                total = self._tx.count(some)  # type: ignore[arg-type]
            if found:
                nodes = [Node(kind, row[0]) for row in found[:limit]]
                steps.append(Step(relation, nodes, min(total, COUNTED), total > COUNTED))
        return steps

    def spans(self, nodes: Iterable[Node]) -> dict[Node, str]:
        """Where items and records were read: file, and line, page, box or characters."""
        found: dict[Node, str] = {}
        origin = (sources.c.name, records.c.position, records.c.origin)
        whence = records.join(sources, sources.c.id == records.c.source_id)
        for kind, of, rows in (
            ("record", records.c.id, whence),
            ("item", items.c.id, whence.join(items, items.c.record_id == records.c.id)),
        ):
            ids = [node.id for node in nodes if node.kind == kind]
            query = select(of, *origin).select_from(rows).where(of.in_(ids))
            for row in self._tx.rows(query) if ids else ():
                found[Node(kind, row.id)] = span(row.name, row.position, row.origin)
        return found

    def label(self, node: Node) -> str:
        """The reference that a caller can use: `dataset:support@2`."""
        if node not in self._labels:
            self._labels[node] = self._label(node)
        return self._labels[node]

    def _label(self, node: Node) -> str:
        names: dict[str, Select[Any]] = {
            "source": select(sources.c.name).where(sources.c.id == node.id),
            "databit": select(databits.c.name).where(databits.c.id == node.id),
            "endpoint": select(endpoints.c.name).where(endpoints.c.id == node.id),
            "request": select(requests.c.request_id).where(requests.c.id == node.id),
        }
        if node.kind == "tool":
            return f"tool:{Tools(self._tx).ref(node.id)}"
        if node.kind in names:
            return f"{node.kind}:{self._tx.value(names[node.kind])}"
        if node.kind == "dataset":
            row = self._tx.one(
                select(databits.c.name, datasets.c.number)
                .join(databits, databits.c.id == datasets.c.databit_id)
                .where(datasets.c.id == node.id)
            )
        elif node.kind == "model":
            row = self._tx.one(
                select(models.c.name, models.c.version).where(models.c.id == node.id)
            )
        else:
            return f"{node.kind}:{node.id}"
        return f"{node.kind}:{'@'.join(map(str, row))}" if row else f"{node.kind}:{node.id}"

    def walk(self, start: Node, *, up: bool, depth: int, fan: int) -> list[Edge]:
        """Edges found breadth-first from `start`; of each kind, `fan` neighbours are followed."""
        edges: list[Edge] = []
        seen, frontier = {start}, [start]
        for _ in range(depth):
            following: list[Node] = []
            for node in frontier:
                for step in self.neighbours(node, up=up, limit=fan):
                    for other in step.nodes:
                        edges.append(Edge(node, step.relation, other, step.total, step.more))
                        if other not in seen:
                            seen.add(other)
                            following.append(other)
            frontier = following
        return edges
