from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotAllowed
from databits.model import Run
from databits.platforms.embedded.jobs import work
from databits.store.tables import dataset_rows, datasets

if TYPE_CHECKING:
    from tests.conftest import Desk


def run(desk: "Desk", **arguments: object) -> Run:
    """Queue a run and work on it; unlike the desk, let it fail."""
    queued = desk.workbench.run("assemble_dataset", arguments, desk.actor)
    work(desk.workbench, idle_seconds=0)
    return desk.workbench.database.read(lambda store: store.runs.get(queued.id))


def test_the_approved_items_are_frozen_into_splits(labelled: "Desk") -> None:
    made = labelled("assemble_dataset", databit="support", test_share=0.25)
    assert made["dataset"] == "support@1"
    assert made["rows"] == sum(made["splits"].values()) == 18
    assert made["splits"]["test"] > 0
    assert made["labels"] == {"billing": 6, "login": 6, "shipping": 6}
    train = {row["label"] for row in labelled.rows(dataset_rows) if row["split"] == "train"}
    assert train == {"billing", "login", "shipping"}


def test_what_is_frozen_does_not_move_with_the_labels(assembled: "Desk") -> None:
    before = assembled.rows(dataset_rows)
    assembled("correct_labels", databit="support", items=[1, 2, 3], label="shipping")
    assert assembled.rows(dataset_rows) == before
    assert assembled("assemble_dataset", databit="support")["dataset"] == "support@2"


def test_the_same_content_is_the_same_dataset(assembled: "Desk") -> None:
    before = assembled.state()
    again = assembled("assemble_dataset", databit="support")
    assert (again["dataset"], again["unchanged"], again["change_id"]) == ("support@1", True, 0)
    assert assembled.state() == before


def test_undo_takes_the_dataset_away(labelled: "Desk") -> None:
    before = labelled.state()
    made = labelled("assemble_dataset", databit="support")
    labelled("undo_change", change=made["change_id"])
    assert labelled.state() == before


def test_too_few_approved_items_say_how_to_get_more(queued: "Desk") -> None:
    queued("correct_labels", databit="support", items=list(range(1, 10)), label="billing")
    failed = run(queued, databit="support")
    assert failed.state == "failed"
    assert "9 approved items with 1 labels" in (failed.error or "")
    assert "approve_labels" in (failed.error or "")
    assert queued.rows(datasets) == []
    assert queued.outcomes("assemble_dataset") == ["queued", "failed"]


def test_refusals(labelled: "Desk") -> None:
    with pytest.raises(Invalid, match="test_share"):
        labelled("assemble_dataset", databit="support", test_share=1)
    with pytest.raises(NotAllowed, match="engineer"):
        labelled.as_("rita", "reviewer")("assemble_dataset", databit="support")
    assert "Databits: support" in (run(labelled, databit="other").error or "")
    assert labelled.rows(datasets) == []
