from typing import TYPE_CHECKING

import pytest

from databits.errors import NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_it_counts_by_state_label_and_person(suggested: "Desk") -> None:
    suggested("correct_labels", databit="support", items=[1, 2], label="billing")
    suggested.as_("lena", "labeler")("correct_labels", databit="support", items=[7], label="login")
    suggested("reject_items", databit="support", items=[3])
    suggested("skip_items", databit="support", items=[4])
    suggested("claim_items", databit="support", count=2)
    found = suggested.as_("vera", "viewer")("queue_status", databit="support")
    states = (found.open, found.labeled, found.approved, found.rejected, found.skipped)
    assert states == (13, 1, 2, 1, 1)
    assert (found.suggested, found.claimed) == (7, 2)
    assert found.by_label == {"billing": 2}
    assert found.by_reviewer == {"ana": 4, "lena": 1}


def test_an_unknown_name_is_answered_with_the_databits(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="Databits: support"):
        queued("queue_status", databit="other")
