from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_pages_follow_one_another_to_the_end(queued: "Desk") -> None:
    seen, after = [], 0
    while after is not None:
        page = queued("list_items", databit="support", after=after, limit=5)
        seen += [item.id for item in page.rows]
        after = page.next
    assert seen == list(range(1, 19))
    assert page.total == 18


def test_filters_narrow_the_list_and_its_total(suggested: "Desk") -> None:
    suggested("correct_labels", databit="support", items=[8], label="billing")
    billing = suggested("list_items", databit="support", label="billing")
    assert [item.id for item in billing.rows] == [1, 2, 3, 4, 5, 6, 8]
    sure = suggested("list_items", databit="support", min_confidence=0.6, max_confidence=0.61)
    assert [item.id for item in sure.rows] == [10, 11]
    assert suggested("list_items", databit="support", state="approved").total == 1
    assert suggested("list_items", databit="support", contains="PASSWORD", state="open").total == 2


def test_a_claim_shows_while_it_lasts(queued: "Desk") -> None:
    claimed = queued("claim_items", databit="support").items[0]
    assert claimed.held_by == "ana"
    queued("release_items", databit="support", items=[claimed.id])
    assert queued("list_items", databit="support").rows[0].held_by is None


def test_a_state_that_does_not_exist_is_answered_with_those_that_do(queued: "Desk") -> None:
    with pytest.raises(Invalid, match="'approved'"):
        queued("list_items", databit="support", state="done")


def test_an_unknown_name_is_answered_with_the_databits(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="Databits: support"):
        queued("list_items", databit="other")


def test_a_viewer_does_not_see_data(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="labeler"):
        queued.as_("vera", "viewer")("list_items", databit="support")
