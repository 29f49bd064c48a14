from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.store.tables import items

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_every_record_of_the_source_becomes_an_open_item(queued: "Desk") -> None:
    found = queued.rows(items)
    assert [row["record_id"] for row in found] == list(range(1, 19))
    assert {row["state"] for row in found} == {"open"}


def test_queueing_again_adds_only_what_is_new(queued: "Desk") -> None:
    before = queued.state()
    again = queued("queue_items", databit="support", source="tickets")
    assert (again.queued, again.already_there, again.change_id) == (0, 18, 0)
    assert queued.state() == before


def test_records_can_be_chosen_by_text_number_and_id(queued: "Desk") -> None:
    queued("create_databit", name="urgency", labels=["now", "later"])
    assert queued("queue_items", databit="urgency", contains="password").queued == 2
    assert queued("queue_items", databit="urgency", records=[1, 2, 2]).queued == 2
    assert queued("queue_items", databit="urgency", records=[2, 3]).queued == 1


def test_a_sample_is_the_same_one_each_time(queued: "Desk") -> None:
    queued("create_databit", name="urgency", labels=["now", "later"])
    first = queued("queue_items", databit="urgency", source="tickets", sample=5)
    again = queued("queue_items", databit="urgency", source="tickets", sample=5)
    assert (first.queued, again.queued, again.already_there) == (5, 0, 5)


def test_undo_empties_the_queue_again(queued: "Desk") -> None:
    queued("create_databit", name="urgency", labels=["now", "later"])
    before = queued.state()
    made = queued("queue_items", databit="urgency")
    queued("undo_change", change=made.change_id)
    assert queued.state() == before


def test_undo_is_refused_once_an_item_is_decided(queued: "Desk") -> None:
    decided = queued("correct_labels", databit="support", items=[4], label="billing")
    with pytest.raises(Conflict, match=f"change {decided.change_id} "):
        queued("undo_change", change=3)


def test_unknown_names_and_ids_are_answered_with_what_exists(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="Databits: support"):
        queued("queue_items", databit="nothing", source="tickets")
    with pytest.raises(NotFound, match="Sources: tickets"):
        queued("queue_items", databit="support", source="nothing")
    with pytest.raises(NotFound, match="record 999"):
        queued("queue_items", databit="support", records=[1, 999])
    assert len(queued.rows(items)) == 18


def test_it_takes_a_reviewer(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="reviewer"):
        queued.as_("lena", "labeler")("queue_items", databit="support", source="tickets")
