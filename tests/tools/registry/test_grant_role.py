from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.store.tables import grants

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


@pytest.fixture
def team(queued: "Desk") -> "Desk":
    queued("create_databit", name="urgency", labels=["now", "later"])
    queued("add_person", person="lena")
    return queued


def test_a_role_counts_from_the_next_call_on(team: "Desk") -> None:
    lena = team.as_("lena", "viewer")
    with pytest.raises(NotAllowed, match="labeler"):
        lena("claim_items", databit="support")
    team("grant_role", person="lena", role="labeler")
    lena("claim_items", databit="support")


def test_a_role_on_one_databit_counts_there_alone_and_in_place_of_the_wider_one(
    team: "Desk",
) -> None:
    team("grant_role", person="lena", role="reviewer")
    team("grant_role", person="lena", role="viewer", databit="urgency")
    lena = team.as_("lena", "admin")
    lena("queue_items", databit="support")
    with pytest.raises(NotAllowed, match="you are viewer"):
        lena("list_items", databit="urgency")


def test_a_second_grant_takes_the_place_of_the_first(team: "Desk") -> None:
    team("grant_role", person="lena", role="reviewer")
    before = team.state()
    made = team("grant_role", person="lena", role="labeler")
    assert [row["role"] for row in team.rows(grants)] == ["labeler"]
    team("undo_change", change=made.change_id)
    assert team.state() == before


def test_an_admin_of_one_databit_grants_there_only(team: "Desk") -> None:
    team("add_person", person="dora")
    team("grant_role", person="dora", role="admin", databit="support")
    dora = team.as_("dora", "viewer")
    dora("grant_role", person="lena", role="reviewer", databit="support")
    for said in ({"databit": "urgency"}, {}):
        with pytest.raises(NotAllowed, match="you are viewer"):
            dora("grant_role", person="lena", role="reviewer", **said)


def test_unknown_people_and_databits_are_named(team: "Desk") -> None:
    with pytest.raises(NotFound, match="add_person"):
        team("grant_role", person="lenna", role="viewer")
    with pytest.raises(NotFound, match="Databits: support, urgency"):
        team("grant_role", person="lena", role="viewer", databit="suport")


def test_the_user_of_this_machine_can_not_demote_themself_as_the_last_admin(team: "Desk") -> None:
    team("add_person", person="ana")
    before = team.state()
    with pytest.raises(Conflict, match="no admin"):
        team("grant_role", person="ana", role="engineer")
    assert team.state() == before
    team("grant_role", person="lena", role="admin")
    team("grant_role", person="ana", role="engineer")
    with pytest.raises(NotAllowed):
        team("list_people")
