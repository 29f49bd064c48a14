from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_runs_are_listed_newest_first_and_by_state(assembled: "Desk") -> None:
    for seed in (1, 2):
        arguments = {"databit": "support", "seed": seed}
        assembled.workbench.run("assemble_dataset", arguments, assembled.actor)
    page = assembled.as_("vera", "viewer")("list_runs", limit=2)
    assert [run.id for run in page.rows] == [3, 2]
    assert page.total == 3
    assert [run.id for run in assembled("list_runs", after=page.next).rows] == [1]
    queued = assembled("list_runs", state="queued")
    assert [run.id for run in queued.rows] == [3, 2]
    assert queued.total == 2


def test_a_list_leaves_the_results_out(assembled: "Desk") -> None:
    assert assembled("list_runs").rows[0].result is None


def test_a_state_that_does_not_exist_is_answered_with_those_that_do(desk: "Desk") -> None:
    with pytest.raises(Invalid, match="'succeeded'"):
        desk("list_runs", state="done")
