"""The rules of deciding items, apart from any operation that uses them."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from databits.actor import Actor
from databits.decide import check_overrule, held_by_another, label_of, refuse_if_nothing, target
from databits.errors import Conflict, Invalid, NotAllowed, NotFound
from databits.store.shapes import now

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases

LENA = Actor("lena", "labeler", "test", person=True)
RITA = Actor("rita", "reviewer", "test", person=True)


def row(**values: Any) -> SimpleNamespace:
    usual = {"state": "open", "held_by": None, "held_until": None, "decided_by": None}
    return SimpleNamespace(**{**usual, **values})


def test_only_a_living_claim_of_somebody_else_keeps_hands_off() -> None:
    later, before = now() + 10_000_000, now() - 1
    assert held_by_another(row(held_by="ana", held_until=later), LENA)
    assert held_by_another(row(held_by="lena", held_until=later), LENA) is None
    assert held_by_another(row(held_by="ana", held_until=before), LENA) is None
    assert held_by_another(row(), LENA) is None


def test_a_label_is_found_as_the_databit_spells_it(queued: "Desk") -> None:
    def read(store: Any) -> Any:
        return store.databits.get("support")

    version = queued.workbench.database.read(read)
    assert label_of(version, " BILLING ") == "billing"
    with pytest.raises(Invalid, match="billing, login, shipping"):
        label_of(version, "refund")
    with pytest.raises(Invalid, match="billing, login, shipping"):
        label_of(version, "")


def test_a_labeler_overrules_nobody_and_a_reviewer_anybody() -> None:
    mine = row(state="labeled", decided_by="lena")
    approved = row(state="approved", decided_by="lena")
    others = row(state="skipped", decided_by="lars")
    check_overrule({1: mine, 2: row()}, LENA)
    for wrong in (approved, others):
        with pytest.raises(NotAllowed, match="Item 7"):
            check_overrule({1: mine, 7: wrong}, LENA)
        check_overrule({7: wrong}, RITA)


def test_a_call_that_changes_nothing_says_why() -> None:
    refuse_if_nothing([1], {2: "claimed"})
    with pytest.raises(Conflict, match="approved already; claimed"):
        refuse_if_nothing([], {2: "claimed", 3: "approved already", 4: "claimed"})


def test_items_of_another_databit_are_not_found(queued: "Desk") -> None:
    queued("create_databit", name="urgency", labels=["now", "later"])
    read = queued.workbench.database.read
    _, rows = read(lambda store: target(store, "support", [3, 1, 3]))
    assert sorted(rows) == [1, 3]
    with pytest.raises(NotFound, match="urgency has no item 1"):
        read(lambda store: target(store, "urgency", [1]))
