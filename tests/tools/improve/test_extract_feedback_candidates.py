from typing import TYPE_CHECKING

import pytest

from databits.errors import NotAllowed
from databits.platforms.embedded.jobs import work
from databits.store.tables import feedback, items, records

if TYPE_CHECKING:
    from tests.conftest import Desk


@pytest.fixture
def corrected(production: "Desk") -> "Desk":
    """Two requests that a person corrected."""
    texts = ["A new subject: my voucher", "Another subject: the gift card"]
    answered = production("query_endpoint", endpoint="desk", texts=texts)
    for answer in answered.answers:
        wrong = "billing" if answer.label != "billing" else "login"
        production("record_feedback", request_id=answer.request_id, correction=wrong)
    return production


def test_a_corrected_request_comes_back_as_an_item_that_says_why(corrected: "Desk") -> None:
    before = len(corrected.rows(items))
    made = corrected("extract_feedback_candidates", endpoint="desk", budget=2)
    assert (made["databit"], made["candidates"]) == ("support", 2)
    new = corrected.rows(items)[before:]
    assert [row["id"] for row in new] == made["items"]
    notes = [row["id"] for row in corrected.rows(feedback)]
    assert sorted(row["feedback_id"] for row in new) == notes
    assert all(row["why"] and row["state"] == "open" for row in new)
    texts = {row["id"]: row["text"] for row in corrected.rows(records)}
    assert {texts[row["record_id"]] for row in new} == {
        "A new subject: my voucher",
        "Another subject: the gift card",
    }


def test_it_comes_before_everything_else_in_the_queue(corrected: "Desk") -> None:
    made = corrected("extract_feedback_candidates", endpoint="desk", budget=2)
    claimed = corrected("claim_items", databit="support", count=2)
    assert {item.id for item in claimed.items} == set(made["items"])


def test_an_item_leads_back_to_the_request_and_the_person(corrected: "Desk") -> None:
    made = corrected("extract_feedback_candidates", endpoint="desk", budget=2)
    up = corrected("trace_lineage", asset=f"item:{made['items'][0]}", direction="up").up
    kinds = {edge.target.partition(":")[0] for edge in up}
    assert {"feedback", "request", "endpoint", "model", "dataset", "record"} <= kinds


def test_what_is_in_the_queue_already_is_passed_over(corrected: "Desk") -> None:
    first = corrected("extract_feedback_candidates", endpoint="desk")
    before = corrected.state()
    again = corrected("extract_feedback_candidates", endpoint="desk")
    assert first["candidates"] > 0
    assert again["candidates"] == 0
    assert corrected.state() == before


def test_undo_takes_items_and_records_out_again(corrected: "Desk") -> None:
    before = corrected.state()
    made = corrected("extract_feedback_candidates", endpoint="desk")
    corrected("undo_change", change=made["change_id"])
    assert corrected.state() == before


def test_refusals(production: "Desk") -> None:
    run = production.workbench.run(
        "extract_feedback_candidates", {"endpoint": "other"}, production.actor
    )
    work(production.workbench, idle_seconds=0)
    failed = production.workbench.run("get_run", {"run": run.id}, production.actor)
    assert failed.state == "failed"
    assert "Endpoints: desk" in failed.error
    with pytest.raises(NotAllowed, match="engineer"):
        production.as_("rita", "reviewer")("extract_feedback_candidates", endpoint="desk")
