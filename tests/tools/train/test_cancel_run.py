from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.heartbeat import LEASE_US
from databits.platforms.embedded.jobs import work
from databits.store.tables import datasets, runs

if TYPE_CHECKING:
    from tests.conftest import Desk


def start(desk: "Desk") -> int:
    return int(desk.workbench.run("assemble_dataset", {"databit": "support"}, desk.actor).id)


def test_a_run_that_waits_ends_at_once(labelled: "Desk") -> None:
    run = start(labelled)
    assert labelled("cancel_run", run=run).state == "cancelled"
    assert work(labelled.workbench, idle_seconds=0) == 0
    assert labelled.rows(datasets) == []


def test_a_run_that_works_ends_without_a_change(labelled: "Desk") -> None:
    run = start(labelled)

    def take(store: Any) -> Any:
        return store.runs.take("a worker", LEASE_US)

    labelled.workbench.database.write(take)
    assert labelled("cancel_run", run=run).state == "running"
    before = labelled.state()
    assert labelled.workbench.execute(run, "a worker").state == "cancelled"
    assert labelled.state() == before
    assert labelled.outcomes("assemble_dataset") == ["queued", "cancelled"]


def test_a_run_that_ended_stays_as_it_is(assembled: "Desk") -> None:
    with pytest.raises(Conflict, match="succeeded"):
        assembled("cancel_run", run=1)
    assert assembled.rows(runs)[0]["state"] == "succeeded"


def test_cancelling_twice_is_refused(labelled: "Desk") -> None:
    run = start(labelled)
    labelled("cancel_run", run=run)
    with pytest.raises(Conflict, match="cancelled"):
        labelled("cancel_run", run=run)


def test_refusals(labelled: "Desk") -> None:
    run = start(labelled)
    with pytest.raises(NotFound, match="list_runs"):
        labelled("cancel_run", run=99)
    with pytest.raises(NotAllowed, match="begun by somebody else: they can cancel it, or an engin"):
        labelled.as_("rita", "reviewer")("cancel_run", run=run)
    with pytest.raises(NotAllowed, match="needs the role reviewer"):
        labelled.as_("lea", "labeler")("cancel_run", run=run)
    assert labelled.rows(runs)[0]["state"] == "queued"


def test_who_began_a_run_can_cancel_it_with_the_role_that_it_took(queued: "Desk") -> None:
    rita = queued.as_("rita", "reviewer")
    begun = rita.workbench.run("prelabel_items", {"databit": "support"}, rita.actor)
    assert rita("cancel_run", run=begun.id).state == "cancelled"  # type: ignore[attr-defined]
