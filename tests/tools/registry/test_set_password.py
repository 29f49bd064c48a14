import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, Invalid, NotAllowed, NotFound
from databits.store.tables import metadata, passwords

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases
SECRET = "correct horse battery staple"


def everything(desk: "Desk") -> str:
    """All that the database holds."""
    rows = {t.name: desk.rows(t) for t in metadata.sorted_tables if "id" in t.c}
    return json.dumps(rows, default=str)


def test_a_password_is_kept_as_a_hash_with_its_parameters_only(
    desk: "Desk", tmp_path: Path
) -> None:
    desk("add_person", person="lena")
    assert desk("set_password", person="lena", password=SECRET).change_id == 0
    kept = desk.rows(passwords)[0]["hash"]
    assert kept.startswith("scrypt$32768$8$1$")
    assert SECRET not in everything(desk)
    for path in (tmp_path / "home").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def test_neither_a_refused_nor_a_failed_call_leaves_the_password_or_a_hash_of_it(
    desk: "Desk",
) -> None:
    from databits.digest import digest
    from databits.store.tables import audit

    said = {"person": "lena", "password": SECRET}
    with pytest.raises(NotFound):
        desk("set_password", **said)
    with pytest.raises(NotAllowed):
        desk.as_("eva", "engineer")("set_password", **said)
    assert SECRET not in everything(desk)
    assert digest(said) not in [row["arguments_sha256"] for row in desk.rows(audit)]


def test_a_new_password_takes_the_place_of_the_old_one(desk: "Desk") -> None:
    desk("add_person", person="lena")
    desk("set_password", person="lena", password=SECRET)
    first = desk.rows(passwords)[0]["hash"]
    desk("set_password", person="lena", password=SECRET)
    (row,) = desk.rows(passwords)
    assert row["hash"] != first, "a salt of its own"


def test_too_short_and_too_long_are_said_in_words(desk: "Desk") -> None:
    desk("add_person", person="lena")
    for wrong in ("short", "x" * 257):
        with pytest.raises(Invalid, match="10 to 256") as refused:
            desk("set_password", person="lena", password=wrong)
        assert wrong not in str(refused.value)
    assert desk.rows(passwords) == []


def test_an_undo_brings_no_password_back(desk: "Desk") -> None:
    desk("add_person", person="lena")
    change = desk("disable_person", person="lena").change_id
    desk("set_password", person="lena", password=SECRET)
    kept = desk.rows(passwords)
    desk("undo_change", change=change)
    assert desk.rows(passwords) == kept
    with pytest.raises(Conflict):
        desk("undo_change", change=change)
