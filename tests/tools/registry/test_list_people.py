from typing import TYPE_CHECKING

import pytest

from databits.errors import NotAllowed

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_people_are_listed_with_roles_and_whether_they_sign_in(queued: "Desk") -> None:
    queued("add_person", person="lena", role="labeler")
    queued("add_person", person="rita")
    queued("grant_role", person="rita", role="reviewer", databit="support")
    queued("set_password", person="rita", password="long enough")
    queued("disable_person", person="lena")
    page = queued("list_people", limit=1)
    assert (page.total, [p.name for p in page.rows]) == (2, ["lena"])
    assert page.rows[0].disabled
    assert not page.rows[0].password
    (rita,) = queued("list_people", after=page.next).rows
    assert [(g.role, g.databit) for g in rita.grants] == [("reviewer", "support")]
    assert rita.password


def test_it_is_for_admins(desk: "Desk") -> None:
    with pytest.raises(NotAllowed, match="admin"):
        desk.as_("eva", "engineer")("list_people")
