from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.model import Planned
from databits.platforms.embedded.jobs import work
from databits.store.tables import endpoints, models, routes

if TYPE_CHECKING:
    from tests.conftest import Desk


def with_second_model(desk: "Desk", uri: str) -> str:
    """Enter a second version of the model, with these weights; returns its name."""

    def write(store: object) -> None:
        first = store.models.raw("support@1")
        store.tx.begin_change("launch_fine_tune", "ana", "test")
        store.models.add(
            "support",
            2,
            first.dataset_id,
            first.strategy,
            first.labels,
            uri,
            first.mlflow_run,
            None,
        )
        store.tx.end_change()

    desk.workbench.database.write(write)
    return "support@2"


def test_the_whole_traffic_goes_to_the_model(production: "Desk") -> None:
    found = production("get_endpoint", endpoint="desk")
    assert (found.status, found.model) == ("ready", "support@1")
    assert found.path == "/serving-endpoints/desk/invocations"
    assert [(row["share"], row["retired_at"]) for row in production.rows(routes)] == [(100, None)]


def test_another_version_replaces_it_in_one_step_and_undo_sends_the_traffic_back(
    production: "Desk",
) -> None:
    second = with_second_model(production, "models:/support/1")
    before = production.state()
    made = production("deploy_model", model=second, endpoint="desk")
    assert (made["model"], made["replaced"]) == ("support@2", "support@1")
    assert production("query_endpoint", endpoint="desk", texts=["hello"]).model == "support@2"
    production("undo_change", change=made["change_id"])
    assert production.state() == before
    assert production("get_endpoint", endpoint="desk").model == "support@1"


def test_when_the_smoke_test_fails_nothing_moves(production: "Desk") -> None:
    second = with_second_model(production, "models:/support/99")
    before = production.state()
    planned = production.workbench.run(
        "deploy_model", {"model": second, "endpoint": "desk"}, production.actor
    )
    assert isinstance(planned, Planned)
    production("decide_approval", plan=planned.plan.id, approve=True)
    run = production.workbench.carry_out(planned.plan.id)
    work(production.workbench, idle_seconds=0)
    failed = production.workbench.run("get_run", {"run": run.id}, production.actor)
    assert failed.state == "failed"
    assert "nothing was deployed" in failed.error
    assert production.state() == before


def test_deploying_what_is_live_already_is_refused(production: "Desk") -> None:
    with pytest.raises(Conflict, match="query_endpoint"):
        production("deploy_model", model="support@1", endpoint="desk")


def test_a_first_deployment_can_be_undone_until_it_is_asked(production: "Desk") -> None:
    before = production.state()
    made = production("deploy_model", model="support@1", endpoint="other")
    production("undo_change", change=made["change_id"])
    assert production.state() == before
    made = production("deploy_model", model="support@1", endpoint="other")
    production("query_endpoint", endpoint="other", texts=["hello"])
    with pytest.raises(Conflict, match=r"request req_\w+ rest"):
        production("undo_change", change=made["change_id"])


def test_refusals(production: "Desk") -> None:
    with pytest.raises(NotFound, match="Models: support@1"):
        production("deploy_model", model="other")
    with pytest.raises(NotAllowed, match="engineer"):
        production.as_("rita", "reviewer")("deploy_model", model="support@1", endpoint="new")
    assert [row["name"] for row in production.rows(endpoints)] == ["desk"]
    assert len(production.rows(models)) == 1
