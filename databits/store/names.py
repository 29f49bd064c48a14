"""Rows in words: what a person calls them, and which change made them.

Names are what people gave to things or the ids that they see; never an item's or a record's text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select

from databits.store.tables import (
    change_rows,
    changes,
    databit_versions,
    databits,
    dataset_rows,
    datasets,
    endpoints,
    evaluations,
    feedback,
    labels,
    metadata,
    models,
    requests,
    routes,
    sources,
    suggestions,
    tool_versions,
)
from databits.store.transaction import Transaction

NAMED = 3  # names in one sentence; what is beyond is counted
COUNTED = 10_000  # rows that rest on something that are counted
_LOOKED_AT = 300  # rows, spread over all, whose names and makers are looked up
_PLURAL = {
    "databit_versions": "Databit versions",
    "databits": "Databits",
    "dataset_rows": "rows of datasets",
    "labels": "decisions",
    "feedback": "feedback notes",
    "tool_versions": "versions of tools",
}
_GO_WITH = {"labels", "suggestions", "dataset_rows"}  # many of them say little by name
_ONE = {
    "databit_versions": "Databit version",
    "dataset_rows": "row",
    "labels": "decision",
    "tool_versions": "version of a tool",
}
_dataset = (
    datasets.join(databits, databits.c.id == datasets.c.databit_id),
    lambda r: f"dataset {r.name}@{r.number}",
)
_of_dataset = dataset_rows.join(datasets, datasets.c.id == dataset_rows.c.dataset_id).join(
    databits, databits.c.id == datasets.c.databit_id
)


def _named(table: Any, said: str) -> tuple[Select[Any], Callable[[Row[Any]], str]]:
    return select(table.c.id, table.c.name), lambda row: f"{said} {row.name}"


def _about(table: Any, said: str) -> tuple[Select[Any], Callable[[Row[Any]], str]]:
    return select(table.c.id, table.c.item_id), lambda row: f"{said} item {row.item_id}"


# table → (ids and what names are made of, the name); other tables' rows go by their id
_NAMES: dict[str, tuple[Select[Any], Callable[[Row[Any]], str]]] = {
    "sources": _named(sources, "source"),
    "databits": _named(databits, "Databit"),
    "endpoints": _named(endpoints, "endpoint"),
    "labels": _about(labels, "decision on"),
    "suggestions": _about(suggestions, "suggestion for"),
    "databit_versions": (
        select(databit_versions.c.id, databits.c.name, databit_versions.c.version).join(
            databits, databits.c.id == databit_versions.c.databit_id
        ),
        lambda row: f"version {row.version} of {row.name}",
    ),
    "datasets": (
        select(datasets.c.id, databits.c.name, datasets.c.number).select_from(_dataset[0]),
        _dataset[1],
    ),
    "dataset_rows": (
        select(dataset_rows.c.id, databits.c.name, datasets.c.number).select_from(_of_dataset),
        _dataset[1],
    ),
    "models": (
        select(models.c.id, models.c.name, models.c.version),
        lambda row: f"model {row.name}@{row.version}",
    ),
    "evaluations": (
        select(evaluations.c.id, models.c.name, models.c.version).join(
            models, models.c.id == evaluations.c.model_id
        ),
        lambda row: f"evaluation of model {row.name}@{row.version}",
    ),
    "routes": (
        select(routes.c.id, endpoints.c.name).join(
            endpoints, endpoints.c.id == routes.c.endpoint_id
        ),
        lambda row: f"traffic of endpoint {row.name}",
    ),
    "requests": (
        select(requests.c.id, requests.c.request_id),
        lambda row: f"request {row.request_id}",
    ),
    "feedback": (
        select(feedback.c.id, requests.c.request_id).join(
            requests, requests.c.id == feedback.c.request_id
        ),
        lambda row: f"feedback {row.id} on request {row.request_id}",
    ),
    "tool_versions": (
        select(
            tool_versions.c.id,
            tool_versions.c.server,
            tool_versions.c.name,
            tool_versions.c.version,
        ),
        lambda row: f"tool {row.server}/{row.name}@{row.version}",
    ),
}


def names(tx: Transaction, table: str, ids: Sequence[int]) -> list[str]:
    """What people call rows, in order, each name once; a row that is gone goes by its id.

    At most a few hundred ids: for sentences, not for lists.
    """
    found: dict[int, str] = {}
    if table in _NAMES and ids:
        query, said = _NAMES[table]
        rows = tx.rows(query.where(metadata.tables[table].c.id.in_(ids)))
        found = {row.id: said(row) for row in rows}
    one = _ONE.get(table, table.removesuffix("s"))
    return list(dict.fromkeys(found.get(i) or f"{one} {i}" for i in ids))


def counted(table: str, count: int) -> str:
    """`3 decisions`, `1 item`."""
    one = _ONE.get(table, table.removesuffix("s").replace("_", " "))
    return f"{count:,} {one if count == 1 else _PLURAL.get(table, table.replace('_', ' '))}"


def in_words(tx: Transaction, table: str, ids: Sequence[int], count: int | None = None) -> str:
    """Rows in a few words: `dataset support@2`, `18 items (item 1, item 2, item 3, …)`.

    Args:
        count: How many rows there are, where `ids` are only the first of them.
    """
    total = len(ids) if count is None else count
    known = names(tx, table, _spread(ids))
    if len(known) <= NAMED and (total == len(known) or table == "dataset_rows"):
        return ", ".join(known)
    if table in _GO_WITH:
        return counted(table, total)
    more = ", …" if total > NAMED else ""
    return f"{counted(table, total)} ({', '.join(known[:NAMED])}{more})"


def span(source: str, position: int, origin: Mapping[str, Any]) -> str:
    """Where a record was read, as one would look it up: `tickets.csv, line 2`.

    What the reader gave is said: file, then page, box, line, row and characters.
    """
    if "request" in origin:
        return f"request {origin['request']} of endpoint {origin.get('endpoint', '')}"
    told = [str(origin.get("file") or source)]
    for name, value in origin.items():
        if name not in ("file", "request", "endpoint"):
            inside = "–".join(map(str, value)) if isinstance(value, list) else value
            told.append(f"{name} {inside}")
    return ", ".join(told) if len(told) > 1 else f"{told[0]}, record {position}"


def dependants(tx: Transaction, table: str, ids: Sequence[int]) -> list[str]:
    """Rows that rest on something, with the changes they came from.

    `dataset support@2 (change 41, assemble_dataset by ana)`; rows are told apart by the change
    that made them, at most three of which are named.

    Args:
        ids: All of them, or the first `COUNTED` and one more.
    """
    made = makers(tx, table, _spread(ids))
    groups: dict[int | None, list[int]] = {}
    for i in _spread(ids):
        groups.setdefault(made[i].id if i in made else None, []).append(i)
    if len(groups) == 1 and len(ids) <= COUNTED:
        groups = {next(iter(groups)): list(ids)}
    known = {row.id: row for row in made.values()}
    said = [
        in_words(tx, table, mine)
        + (f" (change {c}, {known[c].operation} by {known[c].actor})" if c in known else "")
        for c, mine in list(groups.items())[:NAMED]
    ]
    if len(ids) > COUNTED:
        said.append(f"more than {counted(table, COUNTED)} in all")
    elif len(groups) > NAMED:
        said.append(f"{counted(table, len(ids))} in all")
    return said


def makers(tx: Transaction, table: str, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """The change that inserted each row: the oldest one, for an undo that was undone inserts too."""
    within = or_(
        and_(change_rows.c.last_id.is_(None), change_rows.c.row_id.in_(ids)),
        and_(change_rows.c.row_id <= max(ids), change_rows.c.last_id >= min(ids)),
    )
    made = tx.rows(
        select(
            change_rows.c.row_id,
            func.coalesce(change_rows.c.last_id, change_rows.c.row_id).label("last"),
            changes.c.id,
            changes.c.operation,
            changes.c.actor,
        )
        .join(changes, changes.c.id == change_rows.c.change_id)
        .where(change_rows.c.table_name == table, change_rows.c.kind == "insert", within)
        .order_by(changes.c.id.desc())
        .limit(10_000)
    )
    return {i: row for row in made for i in ids if row.row_id <= i <= row.last}


def _spread(ids: Sequence[int]) -> list[int]:
    """All ids, or some from the whole length of many."""
    step = -(-len(ids) // _LOOKED_AT) or 1
    return list(ids[::step])
