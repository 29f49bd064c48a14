"""Which Databits a call is about: found from its arguments, so that grants on them can be looked up.

Every argument says by its `x-entity` what kind of thing it names (databits/types.py). What does not
exist is about nothing: the operation says so itself.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Row, Select, Table, and_, func, select

from databits.errors import DatabitsError
from databits.operation import CATALOGUE, Operation
from databits.store.lineage import Lineage
from databits.store.tables import (
    change_rows,
    databit_versions,
    databits,
    dataset_rows,
    datasets,
    endpoints,
    evaluations,
    feedback,
    grants,
    items,
    labels,
    metadata,
    models,
    plans,
    requests,
    routes,
    runs,
    suggestions,
)
from databits.store.training import split_ref
from databits.store.transaction import Transaction, _parts

# Table → the column that names the Databit, and how rows lead to it.
_LEADS: dict[str, tuple[Column[Any], FromClause]] = {
    "databits": (databits.c.id, databits),
    "databit_versions": (databit_versions.c.databit_id, databit_versions),
    "items": (items.c.databit_id, items),
    "suggestions": (items.c.databit_id, suggestions.join(items)),
    "labels": (items.c.databit_id, labels.join(items)),
    "datasets": (datasets.c.databit_id, datasets),
    "dataset_rows": (datasets.c.databit_id, dataset_rows.join(datasets)),
    "models": (datasets.c.databit_id, models.join(datasets)),
    "evaluations": (datasets.c.databit_id, evaluations.join(datasets)),
    "routes": (datasets.c.databit_id, routes.join(models).join(datasets)),
    "requests": (datasets.c.databit_id, requests.join(models).join(datasets)),
    "feedback": (datasets.c.databit_id, feedback.join(requests).join(models).join(datasets)),
    "endpoints": (datasets.c.databit_id, endpoints.join(routes).join(models).join(datasets)),
    "grants": (grants.c.databit_id, grants),
}
# Where a row that is gone said, in its image, what it belonged to.
_PARENTS = {
    "databit_id": "databits",
    "item_id": "items",
    "dataset_id": "datasets",
    "model_id": "models",
    "request_id": "requests",
}


class Scope:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def of(self, op: Operation, arguments: Mapping[str, Any]) -> set[int]:
        """Ids of the Databits that a call with these arguments is about."""
        found: set[int] = set()
        for name, entity in _entities(op):
            value = arguments.get(name)
            for one in value if isinstance(value, list | tuple) and entity != "items" else [value]:
                if one is not None:
                    found |= self._about(entity, one)
        return found

    def _about(self, entity: str, value: Any) -> set[int]:
        resolvers: dict[str, Callable[[Any], set[int]]] = {
            "databit": lambda v: self._ids("databits", databits.c.name == v),
            "item": lambda v: self._rows("items", [v]),
            "items": lambda v: self._rows("items", v),
            "dataset": lambda v: self._ids("databits", databits.c.name == split_ref(v)[0]),
            "model": self._model,
            "new-name": self._name,
            "endpoint": self._endpoint,
            "endpoint-or-new": self._endpoint,
            "request": lambda v: self._ids("requests", requests.c.request_id == v),
            "change": self._change,
            "asset": self._asset,
            "run": lambda v: self._call(self._tx.get(runs, v)),
            "plan": lambda v: self._call(self._tx.get(plans, v)),
        }
        resolve = resolvers.get(entity)
        try:
            return resolve(value) if resolve is not None else set()
        except DatabitsError:  # nothing of that name: for the operation to say
            return set()

    def _ids(self, table: str, *where: ColumnElement[bool]) -> set[int]:
        rows = self._tx.rows(_databits_of(table).where(*where).distinct())
        return {row[0] for row in rows if row[0] is not None}

    def _rows(self, table: str, ids: Iterable[int]) -> set[int]:
        key = _table(table).c.id
        parts = _parts(sorted(set(ids)))
        return {i for part in parts for i in self._ids(table, key.in_(part))}

    def _model(self, ref: str) -> set[int]:
        name, version = split_ref(ref)
        newest = select(func.max(models.c.version)).where(models.c.name == name).scalar_subquery()
        wanted = newest if version is None else version
        return self._ids("models", models.c.name == name, models.c.version == wanted)

    def _name(self, name: str) -> set[int]:
        """What already has a name: whoever takes it for something new touches that."""
        return self._ids("databits", databits.c.name == name) | self._ids(
            "models", models.c.name == name
        )

    def _endpoint(self, name: str) -> set[int]:
        """Databits of the models it serves; of those it ever served when it serves none."""
        mine = endpoints.c.name == name
        return self._ids("endpoints", mine, routes.c.retired_at.is_(None)) or self._ids(
            "endpoints", mine
        )

    def _asset(self, ref: str) -> set[int]:
        node = Lineage(self._tx).find(ref)
        table = {"feedback": "feedback"}.get(node.kind, f"{node.kind}s")
        if node.kind == "endpoint":
            return self._endpoint(ref.partition(":")[2])
        return self._rows(table, [node.id]) if table in _LEADS else set()

    def _call(self, row: Row[Any] | None) -> set[int]:
        """What the call of a run or a plan is about."""
        op = CATALOGUE.get(row.operation) if row is not None else None
        return self.of(op, row.arguments) if op is not None and row is not None else set()

    def _change(self, change_id: int) -> set[int]:
        """Databits of the rows that a change touched, those that are gone included."""
        found: set[int] = set()
        mine = change_rows.c.change_id == change_id
        names = self._tx.rows(select(change_rows.c.table_name).where(mine).distinct())
        for name in sorted({row.table_name for row in names} & set(_LEADS)):
            key = _table(name).c.id
            last = func.coalesce(change_rows.c.last_id, change_rows.c.row_id)
            touched = and_(
                change_rows.c.table_name == name, key >= change_rows.c.row_id, key <= last
            )
            query = _databits_of(name).join(change_rows, touched).where(mine).distinct()
            found |= {row[0] for row in self._tx.rows(query) if row[0] is not None}
            for column, parent in _PARENTS.items():
                if column in _table(name).c:
                    found |= self._rows(parent, self._gone(change_id, name, column))
        return found

    def _gone(self, change_id: int, table: str, column: str) -> set[int]:
        """What the rows that a change took away said in a column."""
        query = select(change_rows.c.before[column].as_integer()).where(
            change_rows.c.change_id == change_id,
            change_rows.c.kind == "delete",
            change_rows.c.table_name == table,
        )
        return {row[0] for row in self._tx.rows(query.distinct()) if row[0] is not None}


def _table(name: str) -> Table:
    return metadata.tables[name]


def _databits_of(table: str) -> Select[Any]:
    """Query of the Databits that rows of a table belong to."""
    databit, lead = _LEADS[table]
    return select(databit).select_from(lead)


@lru_cache(maxsize=512)
def _entities(op: Operation) -> tuple[tuple[str, str], ...]:
    """(parameter, kind of thing it names) pairs."""
    found = []
    for name, schema in op.input_schema["properties"].items():
        entity = schema.get("x-entity") or schema.get("items", {}).get("x-entity")
        if entity is not None:
            found.append((name, str(entity)))
    return tuple(found)
