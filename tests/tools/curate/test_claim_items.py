from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import Invalid, NotAllowed, NotFound
from databits.store.shapes import now
from databits.store.tables import items

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def ids(claimed: Any) -> list[int]:
    return [item.id for item in claimed.items]


def test_the_least_sure_items_come_first_and_unseen_ones_last(suggested: "Desk") -> None:
    claimed = suggested("claim_items", databit="support", count=13)
    assert ids(claimed) == [*range(1, 13), 13]
    assert claimed.labels == ["billing", "login", "shipping"]


def test_claiming_again_gives_the_same_items(queued: "Desk") -> None:
    first = queued("claim_items", databit="support", count=3)
    assert ids(queued("claim_items", databit="support", count=3)) == ids(first)


def test_nobody_else_gets_a_claimed_item(queued: "Desk") -> None:
    mine = ids(queued("claim_items", databit="support", count=10))
    theirs = ids(queued.as_("lena", "labeler")("claim_items", databit="support", count=10))
    assert len(mine) + len(theirs) == 18
    assert not set(mine) & set(theirs)


def test_a_claim_that_ran_out_is_free(queued: "Desk") -> None:
    first = ids(queued("claim_items", databit="support"))

    def run_out(store: Any) -> None:
        store.tx.begin_change("claim_items", "ana", "test")
        store.tx.update(items, {first[0]: {"held_until": now() - 1}})
        store.tx.end_change()

    queued.workbench.database.write(run_out)
    assert ids(queued.as_("lena", "labeler")("claim_items", databit="support")) == first


def test_when_nothing_is_left_nothing_is_claimed(labelled: "Desk") -> None:
    claimed = labelled("claim_items", databit="support")
    assert (claimed.items, claimed.change_id) == ([], 0)


def test_undo_gives_the_claim_back(queued: "Desk") -> None:
    before = queued.state()
    claimed = queued("claim_items", databit="support", count=5)
    queued("undo_change", change=claimed.change_id)
    assert queued.state() == before


@pytest.mark.parametrize("count", [0, 51, "all"])
def test_a_count_out_of_bounds_is_refused(queued: "Desk", count: Any) -> None:
    before = queued.state()
    with pytest.raises(Invalid, match="count"):
        queued("claim_items", databit="support", count=count)
    assert queued.state() == before


def test_refusals(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="Databits: support"):
        queued("claim_items", databit="other")
    with pytest.raises(NotAllowed, match="labeler"):
        queued.as_("vera", "viewer")("claim_items", databit="support")
