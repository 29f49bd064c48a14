import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.errors import Conflict, Invalid, NotAllowed, NotFound
from databits.store.tables import metadata, tokens

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_the_secret_is_in_the_answer_and_nowhere_else(desk: "Desk", tmp_path: Path) -> None:
    made = desk("create_token", name="editor", role="reviewer", toolsets=["curate"], days=7)
    assert made.secret.startswith("dbw_")
    assert len(made.secret) == 4 + 43
    (row,) = desk.rows(tokens)
    assert row["sha256"] == hashlib.sha256(made.secret.encode()).hexdigest()
    assert (row["person"], row["role"], row["toolsets"]) == ("ana", "reviewer", ["curate"])
    left = made.expires_at - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    kept = {t.name: desk.rows(t) for t in metadata.sorted_tables if "id" in t.c}
    assert made.secret[4:] not in json.dumps(kept, default=str)
    for path in (tmp_path / "home").rglob("*"):
        assert path.is_dir() or made.secret[4:].encode() not in path.read_bytes(), path


def test_anybody_makes_one_for_themself_with_at_most_their_own_role(queued: "Desk") -> None:
    queued("add_person", person="lena", role="viewer")
    queued("grant_role", person="lena", role="labeler", databit="support")
    lena = queued.as_("lena", "viewer")
    lena("create_token", name="mine", role="labeler")
    with pytest.raises(NotAllowed, match="more than you; you are labeler"):
        lena("create_token", name="more", role="reviewer")
    with pytest.raises(NotAllowed, match="for others"):
        lena("create_token", name="hers", person="ana")
    assert [(row["person"], row["role"]) for row in queued.rows(tokens)] == [("lena", "labeler")]


def test_an_admin_makes_one_for_others_who_are_there(desk: "Desk") -> None:
    with pytest.raises(NotFound, match="add_person"):
        desk("create_token", name="ci", person="builder")
    desk("add_person", person="builder")
    desk("create_token", name="ci", person="builder", role="engineer")
    with pytest.raises(Conflict, match="revoke_token"):
        desk("create_token", name="ci", person="builder")


@pytest.mark.parametrize(
    "wrong", [{"days": 366}, {"days": 0}, {"toolsets": ["labels"]}, {"toolsets": []}]
)
def test_nothing_lives_longer_than_a_year_or_reaches_what_is_no_stage(
    desk: "Desk", wrong: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        desk("create_token", name="x", **wrong)
    assert desk.rows(tokens) == []
