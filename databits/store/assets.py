"""The four registries as one list: Databits, datasets, models, endpoints and tools, with who uses them."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Select, Table, func, select

from databits.store.lineage import Lineage
from databits.store.names import makers
from databits.store.pages import oldest_first
from databits.store.shapes import ASSET_KINDS, AssetKind, AssetRow, AssetVersionRow, Node
from databits.store.tables import (
    databit_versions,
    databits,
    datasets,
    endpoints,
    metadata,
    models,
    routes,
    tool_versions,
)
from databits.store.tools import newest
from databits.store.transaction import Transaction

USERS = 3  # users of an asset that are named
_TABLES: dict[AssetKind, Table] = {
    "endpoint": endpoints,
    "model": models,
    "dataset": datasets,
    "databit": databits,
    "tool": tool_versions,
}
# A place in the list: the kind's, and an id within it. No id comes near.
_PLACE = 10**15

_live = select(routes.c.model_id).where(routes.c.retired_at.is_(None))
_live_data = select(models.c.dataset_id).where(models.c.id.in_(_live))
_IN_PRODUCTION: dict[AssetKind, Any] = {
    "endpoint": endpoints.c.id.in_(
        select(routes.c.endpoint_id).where(routes.c.retired_at.is_(None))
    ),
    "model": models.c.id.in_(_live),
    "dataset": datasets.c.id.in_(_live_data),
    "databit": databits.c.id.in_(
        select(datasets.c.databit_id).where(datasets.c.id.in_(_live_data))
    ),
}


class Assets:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._lineage = Lineage(tx)

    def page(
        self, kinds: Collection[AssetKind], production: bool, after: int, limit: int
    ) -> list[AssetRow]:
        """Kind by kind, each oldest first; `after` is the place of the last one seen."""
        start, seen = divmod(after, _PLACE)
        found: list[AssetRow] = []
        for n, kind in enumerate(ASSET_KINDS):
            if n < start or kind not in kinds or len(found) >= limit:
                continue
            column = _TABLES[kind].c.id
            last = seen if n == start else 0
            query = oldest_first(_query(kind, production), column, last, limit - len(found))
            found += self._listed(n, kind, self._tx.rows(query))
        return found

    def count(self, kinds: Collection[AssetKind], production: bool) -> int:
        wanted = [_query(kind, production).subquery() for kind in ASSET_KINDS if kind in kinds]
        counted = [self._tx.value(select(func.count()).select_from(rows)) for rows in wanted]
        return sum(map(int, counted))

    def one(self, node: Node) -> AssetRow:
        """An asset of one of `ASSET_KINDS` that is there."""
        n, kind = next((n, kind) for n, kind in enumerate(ASSET_KINDS) if kind == node.kind)
        table = _TABLES[kind]
        return self._listed(n, kind, self._tx.rows(select(table).where(table.c.id == node.id)))[0]

    def versions(self, node: Node, limit: int) -> list[AssetVersionRow]:
        """Versions of an asset, newest first; of an endpoint what it served and serves."""
        table, query, until = _versions_of(self._tx, node)
        rows = self._tx.rows(query.order_by(table.c.id.desc()).limit(limit))
        made = makers(self._tx, table.name, [row.id for row in rows]) if rows else {}
        return [
            AssetVersionRow(
                self._version_ref(node, row),
                made[row.id].actor if row.id in made else "",
                row.created_at,
                row._mapping[until] if until else None,
                row._mapping.get("sha256") or "",
            )
            for row in rows
        ]

    def _version_ref(self, node: Node, row: Row[Any]) -> str:
        if node.kind == "endpoint":
            return self._lineage.label(Node("model", row.model_id))
        if node.kind == "databit":
            return f"{self._lineage.label(node)}@{row.version}"
        return self._lineage.label(Node(node.kind, row.id))

    def _listed(self, n: int, kind: AssetKind, rows: Sequence[Row[Any]]) -> list[AssetRow]:
        ids = [row.id for row in rows]
        made = makers(self._tx, _TABLES[kind].name, ids) if ids else {}
        live = self._live(kind, ids)
        return [
            AssetRow(
                n * _PLACE + row.id,
                kind,
                self._lineage.label(Node(kind, row.id)),
                made[row.id].actor if row.id in made else "",
                row.created_at,
                row.id in live,
                self._users(Node(kind, row.id)),
                row._mapping.get("sha256") or "",
                row._mapping.get("gone_at") is not None,
            )
            for row in rows
        ]

    def _live(self, kind: AssetKind, ids: Sequence[int]) -> set[int]:
        if kind not in _IN_PRODUCTION or not ids:
            return set()
        column = _TABLES[kind].c.id
        query = select(column).where(_IN_PRODUCTION[kind], column.in_(ids))
        return {row[0] for row in self._tx.rows(query)}

    def _users(self, node: Node) -> list[str]:
        """What was made from it, or serves it; requests of an endpoint are not users."""
        if node.kind == "endpoint":
            return []
        steps = self._lineage.neighbours(node, up=False, limit=USERS)
        return [self._lineage.label(other) for step in steps for other in step.nodes]


def _query(kind: AssetKind, production: bool) -> Select[Any]:
    table = _TABLES[kind]
    query = newest().where(table.c.gone_at.is_(None)) if kind == "tool" else select(table)
    if production:
        # Tools are no part of what answers requests.
        query = query.where(_IN_PRODUCTION.get(kind, table.c.id < 0))
    return query


def _versions_of(tx: Transaction, node: Node) -> tuple[Table, Select[Any], str]:
    """Table and query of the versions of an asset, and the column that says until when one was."""
    table = {"endpoint": routes, "databit": databit_versions}.get(
        node.kind, metadata.tables[f"{'tool_version' if node.kind == 'tool' else node.kind}s"]
    )
    if node.kind == "endpoint":
        return table, select(routes).where(routes.c.endpoint_id == node.id), "retired_at"
    if node.kind == "databit":
        mine = databit_versions.c.databit_id == node.id
        return table, select(databit_versions).where(mine), ""
    row = tx.get(table, node.id)
    assert row is not None  # somebody found it by name just now
    same = {
        "dataset": lambda: datasets.c.databit_id == row.databit_id,
        "model": lambda: models.c.name == row.name,
        "tool": lambda: (tool_versions.c.server == row.server) & (tool_versions.c.name == row.name),
    }[node.kind]()
    return table, select(table).where(same), "gone_at" if node.kind == "tool" else ""
