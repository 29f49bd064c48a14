from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotAllowed, NotFound
from databits.store.tables import feedback, requests

if TYPE_CHECKING:
    from tests.conftest import Desk


def newest(desk: "Desk") -> tuple[str, str]:
    """Request id and answer of the newest request."""
    row = desk.rows(requests)[-1]
    return row["request_id"], row["answer"]


def test_thumbs_and_corrections_are_kept_as_scores(production: "Desk") -> None:
    request, answer = newest(production)
    other = "billing" if answer != "billing" else "login"
    production("record_feedback", request_id=request, thumbs="up")
    production("record_feedback", request_id=request, correction=other.upper())
    production("record_feedback", request_id=request, correction=answer)
    production("record_feedback", request_id=request, comment="odd")
    found = production.rows(feedback)
    assert [row["score"] for row in found] == [1, -1, 1, 0]
    assert [row["correction"] for row in found] == [None, other, answer, None]


def test_undo_takes_the_note_back(production: "Desk") -> None:
    before = production.state()
    made = production("record_feedback", request_id=newest(production)[0], thumbs="down")
    production("undo_change", change=made.change_id)
    assert production.state() == before


def test_refusals_leave_no_note(production: "Desk") -> None:
    request, _ = newest(production)
    with pytest.raises(NotFound, match="query_endpoint"):
        production("record_feedback", request_id="req_0", thumbs="up")
    with pytest.raises(Invalid, match="billing, login, shipping"):
        production("record_feedback", request_id=request, correction="refund")
    with pytest.raises(Invalid, match="thumbs"):
        production("record_feedback", request_id=request)
    with pytest.raises(NotAllowed, match="labeler"):
        production.as_("vera", "viewer")("record_feedback", request_id=request, thumbs="up")
    assert production.rows(feedback) == []
