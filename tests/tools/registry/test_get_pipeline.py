from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.errors import NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def current(desk: "Desk") -> str:
    found = desk("get_pipeline").stages
    return next((stage.name for stage in found if stage.state == "current"), "none")


def test_the_current_stage_moves_with_the_work(desk: "Desk", tickets_csv: Path) -> None:
    assert current(desk) == "data"
    desk("import_files", path=str(tickets_csv))
    assert current(desk) == "template"
    desk("create_databit", name="support", labels=["billing", "login", "shipping"])
    assert current(desk) == "curate"
    desk("queue_items", databit="support")
    assert current(desk) == "curate"
    desk("correct_labels", databit="support", items=list(range(1, 19)), label="billing")
    assert current(desk) == "train"


def test_when_all_is_done_it_goes_round_again(production: "Desk") -> None:
    assert current(production) == "improve"
    answer = production("query_endpoint", endpoint="desk", texts=["A gift card, what is it?"])
    request = answer.answers[0]
    wrong = "billing" if request.label != "billing" else "login"
    production("record_feedback", request_id=request.request_id, correction=wrong)
    made = production("extract_feedback_candidates", endpoint="desk", budget=1)
    production("correct_labels", databit="support", items=made["items"], label=wrong)
    found = production.as_("vera", "viewer")("get_pipeline", databit="support")
    assert {stage.state for stage in found.stages} == {"done"}
    assert found.next


def test_the_newest_databit_is_meant_when_none_is_named(queued: "Desk") -> None:
    queued("create_databit", name="urgency", labels=["now", "later"])
    assert queued("get_pipeline").databit == "urgency"
    assert queued("get_pipeline", databit="support").databit == "support"


def test_an_unknown_name_is_answered_with_the_databits(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="Databits: support"):
        queued("get_pipeline", databit="other")
