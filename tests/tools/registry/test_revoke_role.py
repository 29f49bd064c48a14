from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_the_wider_role_counts_again(queued: "Desk") -> None:
    queued("add_person", person="lena", role="viewer")
    queued("grant_role", person="lena", role="labeler", databit="support")
    lena = queued.as_("lena", "viewer")
    lena("claim_items", databit="support")
    made = queued("revoke_role", person="lena", databit="support")
    with pytest.raises(NotAllowed, match="you are viewer"):
        lena("claim_items", databit="support")
    queued("undo_change", change=made.change_id)
    lena("claim_items", databit="support")


def test_a_role_that_nobody_has_can_not_be_taken(desk: "Desk") -> None:
    desk("add_person", person="lena")
    with pytest.raises(NotFound, match="list_people"):
        desk("revoke_role", person="lena")


def test_undoing_what_made_the_last_admin_is_refused(desk: "Desk") -> None:
    desk("add_person", person="lena")
    made = desk("grant_role", person="lena", role="admin")
    added = desk("add_person", person="ana", role="viewer")
    lena = desk.as_("lena", "viewer")
    for change in (made.change_id,):
        with pytest.raises(Conflict, match="no admin"):
            lena("undo_change", change=change)
    lena("undo_change", change=added.change_id)
    desk("undo_change", change=made.change_id)
