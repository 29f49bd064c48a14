from typing import TYPE_CHECKING

from databits.operation import STAGES
from databits.pipeline import stages

if TYPE_CHECKING:
    from databits.pipeline import Stage
    from tests.conftest import Desk


def look(desk: "Desk", databit: str | None) -> list["Stage"]:
    return desk.workbench.database.read(lambda store: stages(store, databit))


def test_the_seven_stages_come_in_their_order(desk: "Desk") -> None:
    found = look(desk, None)
    assert [stage.name for stage in found] == [name for name in STAGES if name != "registry"]
    assert [stage.state for stage in found] == ["current"] + ["waiting"] * 6


def test_one_stage_is_current_and_each_says_what_would_take_it_further(queued: "Desk") -> None:
    found = look(queued, "support")
    assert [stage.state for stage in found].count("current") == 1
    assert [stage.name for stage in found if stage.state == "done"] == ["data", "template"]
    assert all(stage.fact and stage.next for stage in found)
    assert "18" in found[0].fact


def test_labels_that_wait_for_approval_are_open_work(queued: "Desk") -> None:
    lena = queued.as_("lena", "labeler")
    lena("correct_labels", databit="support", items=list(range(1, 19)), label="login")
    assert look(queued, "support")[2].state == "current"
    queued("approve_labels", databit="support", items=list(range(1, 19)))
    assert look(queued, "support")[2].state == "done"
