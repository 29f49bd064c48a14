from typing import TYPE_CHECKING

import pytest

from databits.errors import NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_it_tells_the_whole_history_in_order(suggested: "Desk") -> None:
    lena = suggested.as_("lena", "labeler")
    lena("correct_labels", databit="support", items=[1], label="login", reason="a guess")
    suggested("correct_labels", databit="support", items=[1], label="billing")
    found = suggested("get_item", item=1)
    assert [(e.kind, e.label, e.by) for e in found.history] == [
        ("queued", None, "ana"),
        ("suggested", "billing", "engine"),
        ("correct", "login", "lena"),
        ("correct", "billing", "ana"),
    ]
    assert (found.state, found.label, found.suggestion) == ("approved", "billing", "billing")
    assert found.history[2].note == "a guess"
    assert found.record.origin == {"file": "tickets.csv", "line": 2}


def test_what_was_undone_stays_in_the_history(suggested: "Desk") -> None:
    lena = suggested.as_("lena", "labeler")
    wrong = lena("correct_labels", databit="support", items=[1], label="login", reason="a guess")
    undone = lena("undo_change", change=wrong.change_id)
    suggested("approve_labels", databit="support", items=[1])
    events = suggested("get_item", item=1).history
    assert [(e.kind, e.before, e.label, e.state, e.undone) for e in events] == [
        ("queued", None, None, "open", False),
        ("suggested", None, "billing", None, False),
        ("correct", None, "login", "labeled", True),
        ("undone", "login", None, "open", False),
        ("approve", None, "billing", "approved", False),
    ]
    correct, undo, approve = events[2:]
    assert (correct.change, correct.by, correct.note) == (wrong.change_id, "lena", "a guess")
    assert (undo.change, undo.by) == (undone.change_id, "lena")
    assert undo.note == f"Undid change {wrong.change_id}."
    assert approve.source == "suggestion 1"


def test_an_undo_that_is_undone_brings_the_decision_back(queued: "Desk") -> None:
    made = queued("correct_labels", databit="support", items=[1], label="login", reason="seen")
    undone = queued("undo_change", change=made.change_id)
    queued("undo_change", change=undone.change_id)
    events = queued("get_item", item=1).history
    assert [(e.kind, e.before, e.label, e.undone) for e in events[1:]] == [
        ("correct", None, "login", False),
        ("undone", "login", None, True),
        ("undone", None, "login", False),
    ]
    assert events[1].note == "seen"


def test_each_event_says_where_it_came_from_and_through_what(suggested: "Desk") -> None:
    actor = suggested.actor.through("mcp", client="some-ide 1.2", person=False)
    said = {"databit": "support", "items": [2], "label": "login"}
    suggested.workbench.run("correct_labels", said, actor)
    queued, suggestion, correct = suggested("get_item", item=2).history
    assert (queued.by, queued.source) == ("ana", "tickets.csv, line 3")
    assert (suggestion.by, suggestion.source) == ("engine", "suggestion 2")
    assert suggestion.note == "52% sure. because"
    assert (correct.via, correct.client) == ("mcp", "some-ide 1.2")
    assert correct.at > queued.at


def test_a_whole_batch_that_was_undone_is_in_the_history_of_each_item(suggested: "Desk") -> None:
    done = suggested("bulk_label", databit="support", min_confidence=0.55)
    suggested("undo_change", change=done.change_id)
    events = suggested("get_item", item=8).history
    assert [(e.kind, e.label, e.undone) for e in events[2:]] == [
        ("bulk approve", "login", True),
        ("undone", None, False),
    ]


def test_claims_are_no_part_of_the_history(queued: "Desk") -> None:
    queued("claim_items", databit="support", count=2)
    queued("release_items", databit="support", items=[1, 2])
    assert [e.kind for e in queued("get_item", item=1).history] == ["queued"]


def test_an_item_that_came_back_from_production_says_from_which_request(production: "Desk") -> None:
    texts = ["A new subject: my voucher"]
    (answer,) = production("query_endpoint", endpoint="desk", texts=texts).answers
    wrong = "billing" if answer.label != "billing" else "login"
    noted = production("record_feedback", request_id=answer.request_id, correction=wrong)
    found = production("extract_feedback_candidates", endpoint="desk", budget=1)
    (event,) = production("get_item", item=found["items"][0]).history
    assert event.kind == "queued"
    assert event.source == f"feedback {noted.feedback} on request {answer.request_id}"
    assert event.run


def test_an_unknown_item_says_where_the_ids_are(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="list_items"):
        queued("get_item", item=99)


def test_a_viewer_does_not_see_data(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="labeler"):
        queued.as_("vera", "viewer")("get_item", item=1)
