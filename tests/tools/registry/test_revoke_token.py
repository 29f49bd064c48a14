from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound
from databits.identity import bearer

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_a_revoked_token_is_refused_at_once_and_for_good(desk: "Desk") -> None:
    made = desk("create_token", name="a")
    assert bearer(desk.workbench, made.secret, "mcp")[0].name == "ana"
    desk("revoke_token", token=made.token)
    with pytest.raises(NotAllowed, match="revoked"):
        bearer(desk.workbench, made.secret, "mcp")
    with pytest.raises(Conflict, match="already"):
        desk("revoke_token", token=made.token)


def test_others_tokens_are_an_admins_to_revoke(desk: "Desk") -> None:
    desk("add_person", person="lena", role="engineer")
    mine = desk("create_token", name="a").token
    lena = desk.as_("lena", "viewer")
    for token in (mine, 99):
        with pytest.raises(NotFound, match="list_tokens"):
            lena("revoke_token", token=token)
    theirs = lena("create_token", name="b").token
    desk("revoke_token", token=theirs)
