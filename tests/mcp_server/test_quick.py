"""Looks into the store that take less than a thread: which they are, and where they are done."""

import sqlite3
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from mcp import Client
from pydantic import BaseModel

from databits.actor import Actor
from databits.operation import CATALOGUE, load_catalogue
from databits.store.tables import audit
from databits.workbench import Workbench
from mcp_server.auth import identify_local
from mcp_server.server import build_server
from tests.conftest import Desk

load_catalogue()
QUICK = sorted(name for name, op in CATALOGUE.items() if op.quick_with)
SMALL = frozenset({"grants", "policies", "people", "databits"})
"""Tables that hold a few rows whatever the workspace holds."""
SAID: dict[str, dict[str, Any]] = {
    "list_items": {"databit": "support", "state": "open", "after": 3, "limit": 5},
    "get_run": {"run": 1},
    "get_item": {"item": 3},  # not that quick, but it must not grow either
}


class Noting:
    """A runner that notes from which threads it is called."""

    def __init__(self, workbench: Workbench, at_hand: bool) -> None:
        self.workbench = workbench
        self.at_hand = at_hand
        self.threads: list[int] = []

    def look(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> BaseModel:
        self.threads.append(threading.get_ident())
        return self.workbench.look(name, arguments, actor)

    def run(
        self, name: str, arguments: Mapping[str, Any], *given: Any, **further: Any
    ) -> BaseModel:
        self.threads.append(threading.get_ident())
        return self.workbench.run(name, arguments, *given, **further)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.workbench, name)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("at_hand", "said", "at_once"),
    [
        (True, {"databit": "support", "state": "open", "limit": 3}, True),
        (True, {"databit": "support", "contains": "bill"}, False),
        (True, {"databit": "support", "label": "billing"}, False),
        (False, {"databit": "support"}, False),
    ],
    ids=["a page by its index", "a search", "by label", "a store elsewhere"],
)
async def test_a_look_by_an_index_is_done_at_once_and_all_else_in_a_thread(
    queued: Desk, at_hand: bool, said: dict[str, Any], at_once: bool
) -> None:
    noting: Any = Noting(queued.workbench, at_hand)
    server = build_server(noting, identify_local(queued.workbench.settings), near=noting)
    async with Client(server) as client:
        done = await client.call_tool("list_items", said)
    assert not done.is_error
    assert [thread == threading.get_ident() for thread in noting.threads] == [at_once]


@pytest.mark.anyio
async def test_a_look_that_is_refused_is_put_on_record_from_a_thread(queued: Desk) -> None:
    """It waits for the writes before it, which may take seconds; others must not wait with it."""
    noting: Any = Noting(queued.workbench, True)
    server = build_server(noting, lambda _: Actor("lena", "viewer", "mcp"), near=noting)
    async with Client(server) as client:
        done = await client.call_tool("list_items", {"databit": "support"})
    assert done.is_error
    here = threading.get_ident()
    assert [thread == here for thread in noting.threads] == [True, False]
    on_record = [row for row in queued.rows(audit) if row["actor"] == "lena"]
    assert [(row["operation"], row["outcome"]) for row in on_record] == [("list_items", "refused")]


def test_a_store_is_at_hand_once_it_is_open_here(queued: Desk) -> None:
    bench = Workbench(queued.workbench.settings)
    assert not bench.at_hand
    assert queued.workbench.at_hand == queued.workbench.database.sqlite


def test_every_operation_that_says_so_is_tried_below() -> None:
    assert set(QUICK) == {name for name, said in SAID.items() if CATALOGUE[name].is_quick(said)}
    assert all(CATALOGUE[name].effect == "read" for name in QUICK)


@pytest.mark.parametrize("name", [*QUICK, "get_item"])
def test_a_look_goes_by_an_index_however_much_there_is(queued: Desk, name: str) -> None:
    """No step of its statements goes over a whole table, or over all that is known of one table."""
    for label, ids in (("billing", range(1, 7)), ("login", range(7, 13))):
        queued("correct_labels", databit="support", items=list(ids), label=label)
    queued("assemble_dataset", databit="support")  # a run
    said: list[str] = []
    drivers: list[sqlite3.Connection] = []

    def listen(store: Any) -> None:
        drivers.append(store.tx.driver._db)
        drivers[0].set_trace_callback(said.append)

    queued.workbench.database.read(listen)  # on the connection that the next read uses too
    queued.workbench.run(name, SAID[name], queued.actor)
    drivers[0].set_trace_callback(None)
    statements = [text for text in said if text.lstrip().startswith(("SELECT", "WITH"))]
    assert statements
    for statement in statements:
        steps = [row[3] for row in drivers[0].execute(f"EXPLAIN QUERY PLAN {statement}")]
        # What a limit has made small may be gone over, and parameters come as a table of their own.
        scans = [step.split()[1] for step in steps if step.startswith("SCAN")]
        assert {s for s in scans if not s.startswith("anon_")} <= SMALL, (statement, steps)
        assert not [s for s in steps if s.endswith("(table_name=?)")], (statement, steps)
        if name == "list_items" and "records" in statement:
            assert "USE TEMP B-TREE FOR ORDER BY" not in steps, (statement, steps)
