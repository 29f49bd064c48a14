from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, Invalid, NotAllowed
from databits.store.tables import grants, passwords, people, tokens

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_a_person_is_added_with_a_role_and_can_be_undone(desk: "Desk") -> None:
    before = desk.state()
    made = desk("add_person", person="Lena@Example.org ", role="labeler")
    assert (made.person, made.role) == ("lena@example.org", "labeler")
    assert [row["role"] for row in desk.rows(grants)] == ["labeler"]
    desk("undo_change", change=made.change_id)
    assert desk.state() == before


def test_a_name_is_taken_once_whatever_its_case(desk: "Desk") -> None:
    desk("add_person", person="lena")
    with pytest.raises(Conflict, match="list_people"):
        desk("add_person", person="LENA")
    for wrong in ("", "two words", "-x", "<b>", "x" * 121):
        with pytest.raises(Invalid):
            desk("add_person", person=wrong)
    assert len(desk.rows(people)) == 1


def test_nothing_of_an_earlier_person_of_that_name_is_theirs(desk: "Desk") -> None:
    added = desk("add_person", person="lena")
    desk("set_password", person="lena", password="long enough")
    desk("grant_role", person="lena", role="admin")
    desk("create_token", name="old", person="lena", role="admin")
    desk("undo_change", change=added.change_id)
    desk("add_person", person="lena")
    assert desk.rows(grants) == desk.rows(passwords) == []
    assert [row["revoked_at"] is None for row in desk.rows(tokens)] == [False]


def test_only_a_person_who_is_an_admin_adds_people(desk: "Desk") -> None:
    with pytest.raises(NotAllowed, match="admin"):
        desk.as_("eva", "engineer")("add_person", person="lena")
    with pytest.raises(NotAllowed, match="for people"):
        desk.as_("ana", "admin", person=False)("add_person", person="lena")
    assert desk.rows(people) == []
