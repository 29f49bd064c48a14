"""Worker processes: started when there is work and nobody at it, and gone with their owner."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.platforms.embedded.jobs import Workers, work
from databits.store.runs import ENDED

if TYPE_CHECKING:
    from tests.conftest import Desk


@pytest.mark.slow
def test_submitting_starts_a_worker_process_and_a_second_run_uses_it(
    labelled: "Desk", tmp_path: Path
) -> None:
    workers = Workers(labelled.workbench)
    labelled.workbench.jobs = workers  # type: ignore[assignment]
    try:
        for seed in range(2):
            asked = {"databit": "support", "seed": seed}
            run = labelled.workbench.run("assemble_dataset", asked, labelled.actor)
            done = labelled.workbench.run("get_run", {"run": run.id, "wait_s": 30}, labelled.actor)
            assert done.state == "succeeded"
        assert len(workers._started) == 1
        assert work(labelled.workbench, idle_seconds=0) == 0, "the worker has the lock"
        assert (tmp_path / "home" / "worker.log").exists()
    finally:
        workers.close()
    assert workers._started[0].poll() is not None


@pytest.mark.slow
def test_a_worker_that_was_killed_is_replaced_at_the_next_submission(labelled: "Desk") -> None:
    workers = Workers(labelled.workbench)
    labelled.workbench.jobs = workers  # type: ignore[assignment]
    try:
        first = labelled.workbench.run("assemble_dataset", {"databit": "support"}, labelled.actor)
        workers._started[0].kill()
        workers._started[0].wait()
        second = labelled.workbench.run(
            "assemble_dataset", {"databit": "support", "seed": 1}, labelled.actor
        )
        until = time.monotonic() + 30
        states: list[str] = []
        while time.monotonic() < until and not set(states) & set(ENDED):
            states = [
                labelled.workbench.run("get_run", {"run": r.id, "wait_s": 30}, labelled.actor).state
                for r in (first, second)
            ]
        assert states == ["succeeded", "succeeded"]
        assert len(workers._started) == 2
    finally:
        workers.close()
