from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

pytestmark = pytest.mark.both_databases


def test_a_disabled_person_can_do_nothing_until_let_in_again(queued: "Desk") -> None:
    queued("add_person", person="lena", role="labeler")
    lena = queued.as_("lena", "viewer")
    lena("claim_items", databit="support")
    queued("disable_person", person="lena")
    for name, said in (("list_databits", {}), ("claim_items", {"databit": "support"})):
        with pytest.raises(NotAllowed, match="disabled"):
            lena(name, **said)
    queued("disable_person", person="lena", disabled=False)
    lena("list_databits")


def test_it_can_be_undone(desk: "Desk") -> None:
    desk("add_person", person="lena")
    before = desk.state()
    made = desk("disable_person", person="lena")
    desk("undo_change", change=made.change_id)
    assert desk.state() == before
    desk.as_("lena", "viewer")("list_databits")


def test_an_unknown_person_is_said_with_those_there_are(desk: "Desk") -> None:
    desk("add_person", person="lena")
    with pytest.raises(NotFound, match="People: lena"):
        desk("disable_person", person="lenna")


def test_the_last_admin_can_not_be_kept_out_where_the_machine_has_none(
    open_desk: "MakeDesk", tmp_path: object
) -> None:
    from pathlib import Path

    desk = open_desk(Path(str(tmp_path)) / "served", role="viewer")
    desk("add_person", person="ada", role="admin")
    ada = desk.as_("ada", "viewer")
    with pytest.raises(Conflict, match="no admin"):
        ada("disable_person", person="ada")
    ada("add_person", person="zoe", role="admin")
    made = ada("disable_person", person="ada")
    zoe = desk.as_("zoe", "viewer")
    with pytest.raises(Conflict, match="no admin"):
        zoe("disable_person", person="zoe")
    zoe("undo_change", change=made.change_id)
    ada("disable_person", person="zoe")


def test_the_machines_own_admin_can_always_put_it_right(desk: "Desk") -> None:
    desk("add_person", person="zoe", role="admin")
    desk("disable_person", person="zoe")
    desk("disable_person", person="zoe", disabled=False)
    desk("revoke_role", person="zoe")
    for role in ("viewer", "engineer"):
        with pytest.raises(Conflict, match="no admin"):
            desk("add_person", person="ana", role=role)
    desk("add_person", person="ana", role="admin")
