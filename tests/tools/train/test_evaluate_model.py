from typing import TYPE_CHECKING

import pytest

from databits.errors import NotAllowed
from databits.platforms.embedded.jobs import work
from databits.store.tables import evaluations

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_the_held_out_rows_are_measured_with_intervals(production: "Desk") -> None:
    report = production.rows(evaluations)[0]["result"]
    held_out = production("get_dataset", dataset="support@1").splits["test"]
    assert report["n"] == held_out
    for score in (report["accuracy"], report["macro_f1"]):
        assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1
    assert report["accuracy"]["value"] > 0.5, "three clearly different topics"


def test_evaluating_again_gives_the_same_figures(production: "Desk") -> None:
    first = production.rows(evaluations)[0]["result"]
    again = production("evaluate_model", model="support")
    assert again["model"] == "support@1"
    assert again["accuracy"] == first["accuracy"]
    assert len(production.rows(evaluations)) == 2


def test_undo_takes_the_evaluation_away(production: "Desk") -> None:
    before = production.state()
    made = production("evaluate_model", model="support@1")
    production("undo_change", change=made["change_id"])
    assert production.state() == before


def test_refusals(production: "Desk") -> None:
    run = production.workbench.run("evaluate_model", {"model": "other"}, production.actor)
    work(production.workbench, idle_seconds=0)
    failed = production.workbench.run("get_run", {"run": run.id}, production.actor)
    assert failed.state == "failed"
    assert "Models: support@1" in failed.error
    with pytest.raises(NotAllowed, match="engineer"):
        production.as_("rita", "reviewer")("evaluate_model", model="support@1")
