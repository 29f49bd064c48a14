from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from databits.errors import NotAllowed, NotFound
from databits.model import Run
from databits.platforms.embedded.jobs import work
from databits.store.tables import items, suggestions, vectors

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def run(desk: "Desk", **arguments: object) -> Run:
    """Queue a run and work on it; unlike the desk, let it fail."""
    queued = desk.workbench.run("prelabel_items", arguments, desk.actor)
    work(desk.workbench, idle_seconds=0)
    return desk.workbench.database.read(lambda store: store.runs.get(queued.id))


def test_every_open_item_gets_a_suggestion_with_a_reason(queued: "Desk") -> None:
    queued("correct_labels", databit="support", items=[1, 7, 13], label="billing")
    made = queued("prelabel_items", databit="support")
    assert made["suggested"] == 15
    found = {row["id"]: row for row in queued.rows(items)}
    assert found[1]["suggestion"] is None, "a decided item is left alone"
    others = [row for i, row in found.items() if i not in (1, 7, 13)]
    assert all(row["suggestion"] in ("billing", "login", "shipping") for row in others)
    assert all(0 <= row["confidence"] <= 1 for row in others)
    assert {row["state"] for row in others} == {"open"}, "a suggestion is no decision"
    assert all(row["rationale"] and row["run_id"] == 1 for row in queued.rows(suggestions))


def test_the_least_sure_items_come_first_in_the_queue(queued: "Desk") -> None:
    queued("prelabel_items", databit="support")
    claimed = queued("claim_items", databit="support", count=18).items
    sure = [item.confidence for item in claimed]
    assert sure == sorted(sure)


def test_only_new_leaves_suggested_items_alone(suggested: "Desk") -> None:
    made = suggested("prelabel_items", databit="support", only_new=True)
    assert made["suggested"] == 6
    assert suggested.rows(items)[0]["confidence"] == 0.51


def test_undo_takes_the_suggestions_back_and_keeps_the_vectors(queued: "Desk") -> None:
    before = queued.state()
    made = queued("prelabel_items", databit="support")
    queued("undo_change", change=made["change_id"])
    assert queued.state() == before
    count = select(func.count()).select_from(vectors)
    assert queued.workbench.database.read(lambda store: store.tx.value(count)) == 18


def test_a_queue_without_open_items_says_how_to_fill_it(labelled: "Desk") -> None:
    failed = run(labelled, databit="support")
    assert failed.state == "failed"
    assert "queue_items" in (failed.error or "")


def test_refusals(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="reviewer"):
        queued.as_("lena", "labeler")("prelabel_items", databit="support")
    failed = run(queued, databit="other")
    assert failed.state == "failed"
    assert NotFound.phrase in (failed.error or "")
    assert "Databits: support" in (failed.error or "")
