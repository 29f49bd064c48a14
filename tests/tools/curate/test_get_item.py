from typing import TYPE_CHECKING

import pytest

from databits.errors import NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_it_tells_the_whole_history_in_order(suggested: "Desk") -> None:
    lena = suggested.as_("lena", "labeler")
    lena("correct_labels", databit="support", items=[1], label="login", reason="a guess")
    suggested("correct_labels", databit="support", items=[1], label="billing")
    found = suggested("get_item", item=1)
    assert [(e.kind, e.label, e.by) for e in found.history] == [
        ("suggested", "billing", "engine"),
        ("correct", "login", "lena"),
        ("correct", "billing", "ana"),
    ]
    assert (found.state, found.label, found.suggestion) == ("approved", "billing", "billing")
    assert found.history[1].note == "a guess"
    assert found.record.origin == {"file": "tickets.csv", "line": 2}


def test_an_unknown_item_says_where_the_ids_are(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="list_items"):
        queued("get_item", item=99)


def test_a_viewer_does_not_see_data(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="labeler"):
        queued.as_("vera", "viewer")("get_item", item=1)
