from typing import TYPE_CHECKING

import pytest

from databits.errors import DatabitsError, NotAllowed

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_events_tell_who_called_what_and_how_it_ended(queued: "Desk") -> None:
    made = queued("skip_items", databit="support", items=[1])
    newest = queued("search_audit", limit=1).rows[0]
    assert (newest.operation, newest.actor, newest.role) == ("skip_items", "ana", "admin")
    assert (newest.outcome, newest.change_id, newest.surface) == ("ok", made.change_id, "test")


def test_filters_narrow_the_list_and_its_total(queued: "Desk") -> None:
    with pytest.raises(NotAllowed):
        queued.as_("vera", "viewer")("skip_items", databit="support", items=[1])
    refused = queued("search_audit", outcome="refused")
    assert [(e.actor, e.operation) for e in refused.rows] == [("vera", "skip_items")]
    assert refused.total == 1
    assert queued("search_audit", actor="ana").total == 3
    assert queued("search_audit", operation="import_files", change=1).total == 1


def test_pages_follow_one_another(queued: "Desk") -> None:
    page = queued("search_audit", limit=2)
    rest = queued("search_audit", after=page.next)
    assert [e.id for e in (*page.rows, *rest.rows)] == [3, 2, 1]


def test_no_argument_is_kept_but_its_hash(queued: "Desk") -> None:
    with pytest.raises(DatabitsError):
        queued("correct_labels", databit="support", items=[1], label="a private word")
    assert "private" not in queued("search_audit").model_dump_json()


def test_it_takes_a_reviewer(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="reviewer"):
        queued.as_("lena", "labeler")("search_audit")
