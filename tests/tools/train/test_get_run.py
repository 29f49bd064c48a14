import threading
import time
from typing import TYPE_CHECKING

import pytest

from databits.errors import NotFound
from databits.platforms.embedded.jobs import work

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_a_run_is_queued_then_has_its_result(labelled: "Desk") -> None:
    labelled.workbench.run("assemble_dataset", {"databit": "support"}, labelled.actor)
    waiting = labelled.workbench.run("get_run", {"run": 1}, labelled.actor)
    assert (waiting.state, waiting.progress, waiting.result) == ("queued", 0, None)
    work(labelled.workbench, idle_seconds=0)
    done = labelled.workbench.run("get_run", {"run": 1}, labelled.actor)
    assert (done.state, done.progress, done.actor) == ("succeeded", 1, "ana")
    assert done.result is not None
    assert done.result["dataset"] == "support@1"
    assert done.finished_at >= done.created_at


def test_it_can_wait_for_the_end(labelled: "Desk") -> None:
    labelled.workbench.run("assemble_dataset", {"databit": "support"}, labelled.actor)
    worker = threading.Thread(target=work, args=[labelled.workbench], kwargs={"idle_seconds": 0})
    begun = time.monotonic()
    worker.start()
    done = labelled.workbench.run("get_run", {"run": 1, "wait_s": 30}, labelled.actor)
    worker.join()
    assert done.state == "succeeded"
    assert time.monotonic() - begun < 25


def test_waiting_ends_when_the_time_is_over(labelled: "Desk") -> None:
    labelled.workbench.run("assemble_dataset", {"databit": "support"}, labelled.actor)
    found = labelled.workbench.run("get_run", {"run": 1, "wait_s": 0.2}, labelled.actor)
    assert found.state == "queued"


def test_an_unknown_run_says_where_the_runs_are(desk: "Desk") -> None:
    with pytest.raises(NotFound, match="list_runs"):
        desk("get_run", run=3)
