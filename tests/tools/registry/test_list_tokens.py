from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_an_admin_sees_every_token_and_others_their_own(desk: "Desk") -> None:
    desk("add_person", person="lena", role="labeler")
    lena = desk.as_("lena", "viewer")
    mine = desk("create_token", name="a")
    desk("create_token", name="b")
    lena("create_token", name="c")
    desk("revoke_token", token=mine.token)
    page = desk("list_tokens", limit=2)
    assert (page.total, [(t.name, t.state) for t in page.rows]) == (
        3,
        [("a", "revoked"), ("b", "works")],
    )
    assert [t.name for t in desk("list_tokens", after=page.next).rows] == ["c"]
    theirs = lena("list_tokens")
    assert (theirs.total, [t.person for t in theirs.rows]) == (1, ["lena"])


def test_what_is_listed_is_no_secret(desk: "Desk") -> None:
    made = desk("create_token", name="a")
    listed = desk("list_tokens").model_dump_json()
    assert made.secret not in listed
    assert "sha256" not in listed
