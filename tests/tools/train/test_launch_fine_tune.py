from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotAllowed, NotFound, NotReady
from databits.model import Planned
from databits.store.tables import models, runs

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_a_model_is_registered_with_what_it_was_made_from(production: "Desk") -> None:
    found = production.rows(models)[0]
    assert (found["name"], found["version"]) == ("support", 1)
    assert sorted(found["labels"]) == ["billing", "login", "shipping"]
    assert found["uri"] == "models:/support/1"
    assert found["run_id"] is not None
    up = production("trace_lineage", asset="model:support@1", direction="up").up
    assert "source:messages" in {edge.target for edge in up}


def test_the_plan_says_rows_cost_and_what_stays(assembled: "Desk") -> None:
    before = assembled.state()
    planned = assembled.workbench.run("launch_fine_tune", {"dataset": "support@1"}, assembled.actor)
    assert isinstance(planned, Planned)
    assert planned.plan.count == 14
    assert "tokens" in planned.plan.cost
    assert "MLflow" in planned.plan.irreversible
    assert assembled.state() == before
    assert assembled.rows(runs)[-1]["operation"] == "assemble_dataset", "nothing was queued"


@pytest.mark.slow
def test_training_again_makes_the_next_version_and_undo_takes_it_away(production: "Desk") -> None:
    before = production.state()
    made = production("launch_fine_tune", dataset="support@1", seed=3)
    assert made["model"] == "support@2"
    production("undo_change", change=made["change_id"])
    assert production.state() == before
    # MLflow keeps its second version, so that the number is never given to another model.
    assert production("launch_fine_tune", dataset="support@1")["model"] == "support@3"


def test_a_dataset_that_is_too_small_is_refused_before_any_plan(labelled: "Desk") -> None:
    labelled("reject_items", databit="support", items=[*range(3, 7), *range(8, 13)])
    labelled(
        "undo_change", change=labelled("reject_items", databit="support", items=[18]).change_id
    )
    labelled("correct_labels", databit="support", items=[3, 4], label="shipping")
    labelled("assemble_dataset", databit="support", test_share=0.1)
    with pytest.raises(NotReady, match="assemble_dataset"):
        labelled("launch_fine_tune", dataset="support@1")
    assert labelled("list_approvals").total == 0


def test_refusals(assembled: "Desk") -> None:
    with pytest.raises(NotFound, match="Datasets: support@1"):
        assembled("launch_fine_tune", dataset="support@9")
    with pytest.raises(Invalid, match="classifier-head"):
        assembled("launch_fine_tune", dataset="support@1", strategy="magic")
    with pytest.raises(NotAllowed, match="engineer"):
        assembled.as_("rita", "reviewer")("launch_fine_tune", dataset="support@1")
