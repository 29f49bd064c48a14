"""Calls, work and commits below the workbench."""

from typing import TYPE_CHECKING, Any

import pytest

from databits.actor import Actor
from databits.change import Call, Work, actor_of, actor_row
from databits.errors import Cancelled
from databits.model import Changed
from databits.operation import find
from databits.store.tables import audit, changes, sources

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def work_for(desk: "Desk", **given: Any) -> Work:
    op = find("import_files")
    return Work(
        Call(desk.workbench, op, op.input.model_validate({"path": "x"}), desk.actor), **given
    )


def add_source(store: Any) -> Changed:
    store.records.add_source("notes", "here")
    return Changed()


def test_a_commit_writes_the_change_and_its_event_together(desk: "Desk") -> None:
    made = work_for(desk).commit(add_source)
    assert made.change_id == 1
    assert [row["rows"] for row in desk.rows(changes)] == [1]
    assert [row["change_id"] for row in desk.rows(audit)] == [1]


def test_a_commit_that_fails_leaves_neither(desk: "Desk") -> None:
    def fail(store: Any) -> Changed:
        add_source(store)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        work_for(desk).commit(fail)
    assert desk.rows(sources) == desk.rows(changes) == desk.rows(audit) == []


def test_a_commit_that_changes_nothing_has_an_event_and_no_change(desk: "Desk") -> None:
    made = work_for(desk).commit(lambda store: Changed())
    assert made.change_id == 0
    assert desk.rows(changes) == []
    assert [(row["outcome"], row["change_id"]) for row in desk.rows(audit)] == [("ok", None)]


def test_an_operation_commits_once(desk: "Desk") -> None:
    work = work_for(desk)
    work.commit(add_source)
    with pytest.raises(RuntimeError, match="once"):
        work.commit(add_source)
    assert len(desk.rows(sources)) == 1


def test_progress_is_a_share_and_can_stop_the_work(desk: "Desk") -> None:
    said: list[tuple[float, str]] = []

    def stop_at_the_end(done: float, message: str) -> None:
        said.append((done, message))
        if done == 1:
            raise Cancelled("enough")

    work = work_for(desk, progress=stop_at_the_end)
    work.progress(-1, "begun")
    work.progress(0.5, "half")
    with pytest.raises(Cancelled):
        work.progress(7, "over")
    assert said == [(0, "begun"), (0.5, "half"), (1, "over")]
    work_for(desk).progress(0.5, "nobody listens")


def test_an_actor_survives_being_kept_in_a_row() -> None:
    actor = Actor("ana", "engineer", "mcp", client="an editor 1.0")
    assert actor_of(actor_row(actor)) == actor
