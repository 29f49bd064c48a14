from typing import TYPE_CHECKING

import pytest

from databits.errors import NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_a_released_item_goes_to_the_next_person(queued: "Desk") -> None:
    mine = queued("claim_items", databit="support").items[0].id
    released = queued("release_items", databit="support", items=[mine])
    assert released.released == [mine]
    theirs = queued.as_("lena", "labeler")("claim_items", databit="support").items[0].id
    assert theirs == mine


def test_releasing_what_nobody_holds_changes_nothing(queued: "Desk") -> None:
    before = queued.state()
    released = queued("release_items", databit="support", items=[1, 2])
    assert (released.released, released.change_id) == ([], 0)
    assert queued.state() == before


def test_a_labeler_releases_only_their_own_and_a_reviewer_anybodys(queued: "Desk") -> None:
    mine = queued("claim_items", databit="support").items[0].id
    refused = queued.as_("lena", "labeler")("release_items", databit="support", items=[mine])
    assert (refused.released, refused.not_yours) == ([], [mine])
    done = queued.as_("rita", "reviewer")("release_items", databit="support", items=[mine])
    assert done.released == [mine]


def test_undo_gives_the_claim_back_to_its_holder(queued: "Desk") -> None:
    mine = queued("claim_items", databit="support").items[0].id
    before = queued.state()
    released = queued("release_items", databit="support", items=[mine])
    queued("undo_change", change=released.change_id)
    assert queued.state() == before


def test_refusals(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="no item 99"):
        queued("release_items", databit="support", items=[1, 99])
    with pytest.raises(NotAllowed, match="labeler"):
        queued.as_("vera", "viewer")("release_items", databit="support", items=[1])
