"""The pulse: another one whenever there is something new to read, and only then."""

from collections.abc import Callable
from typing import Any

import pytest

from databits.store import Store
from databits.store.database import Database
from databits.store.pulse import pulse
from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_reading_leaves_the_pulse_as_it_is_and_any_write_moves_it(queued: Desk) -> None:
    before = queued.workbench.pulse()
    queued("get_databit", databit="support")
    assert queued.workbench.pulse() == before
    made = queued("skip_items", databit="support", items=[1])
    after = queued.workbench.pulse()
    assert after != before
    queued("undo_change", change=made.change_id)
    assert queued.workbench.pulse() not in (before, after)


@pytest.mark.parametrize(
    "values", [{"state": "running"}, {"progress": 0.5}, {"message": "half"}, {"state": "failed"}]
)
def test_a_runs_progress_moves_the_pulse(queued: Desk, values: dict[str, Any]) -> None:
    database: Database = queued.workbench.database
    run = database.write(lambda store: store.runs.add("prelabel_items", {}, {"name": "ana"}, None))
    before = queued.workbench.pulse()
    set_to: Callable[[Store], None] = lambda store: store.runs.set(run, **values)  # noqa: E731
    database.write(set_to)
    assert queued.workbench.pulse() != before
    assert database.read(lambda store: pulse(store.tx)) == queued.workbench.pulse()
