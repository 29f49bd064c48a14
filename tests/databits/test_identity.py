"""Signing in, and bearer tokens: who comes out, and what is refused."""

import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from databits import directory, identity
from databits.actor import Actor
from databits.errors import NotAllowed
from databits.identity import TRIES, bearer, has_accounts, sign_in
from databits.store.shapes import now
from databits.store.tables import audit, tokens

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases
PASSWORD = "correct horse"


@pytest.fixture
def team(desk: "Desk") -> "Desk":
    desk("add_person", person="lena", role="labeler")
    desk("set_password", person="lena", password=PASSWORD)
    return desk


def test_who_signs_in_is_no_human_act_yet_and_has_what_is_granted(team: "Desk") -> None:
    actor = sign_in(team.workbench, " Lena ", PASSWORD)
    assert actor == Actor("lena", "labeler", "chat", given="viewer")
    assert not actor.person
    assert team.outcomes("sign_in") == ["ok"]
    team("revoke_role", person="lena")
    with pytest.raises(NotAllowed, match="you are viewer"):
        team.workbench.run("get_records", {}, actor)


def test_there_are_accounts_once_somebody_can_sign_in(desk: "Desk") -> None:
    assert not has_accounts(desk.workbench)
    desk("add_person", person="lena")
    assert not has_accounts(desk.workbench)
    desk("set_password", person="lena", password=PASSWORD)
    assert has_accounts(desk.workbench)
    desk("disable_person", person="lena")
    assert not has_accounts(desk.workbench)


def test_a_wrong_password_and_a_name_nobody_has_are_told_alike(team: "Desk") -> None:
    told = []
    for name, password in (("lena", "wrong horse"), ("hunter2-my-password", "x"), ("", "")):
        with pytest.raises(NotAllowed) as refused:
            sign_in(team.workbench, name, password)
        told.append(str(refused.value))
    assert len(set(told)) == 1
    rows = [row for row in team.rows(audit) if row["operation"] == "sign_in"]
    assert [row["actor"] for row in rows] == ["lena", "unknown", "unknown"]
    assert "hunter2" not in str(rows)


def test_a_disabled_person_does_not_get_in(team: "Desk") -> None:
    team("disable_person", person="lena")
    with pytest.raises(NotAllowed, match="wrong"):
        sign_in(team.workbench, "lena", PASSWORD)


def test_after_five_wrong_tries_the_right_password_waits_as_well(
    team: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(identity.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(identity, "verify_password", lambda said, kept: said == PASSWORD)
    team("add_person", person="lars")
    team("set_password", person="lars", password=PASSWORD)
    for _ in range(TRIES - 1):
        with pytest.raises(NotAllowed, match="wrong"):
            sign_in(team.workbench, "lena", "no")
    sign_in(team.workbench, "lena", PASSWORD)
    for _ in range(TRIES):
        with pytest.raises(NotAllowed, match="is wrong"):
            sign_in(team.workbench, "lena", "no")
    for said in ("no", PASSWORD, PASSWORD):
        with pytest.raises(NotAllowed, match="five minutes"):
            sign_in(team.workbench, "lena", said)
    sign_in(team.workbench, "lars", PASSWORD)
    clock[0] += 301
    sign_in(team.workbench, "lena", PASSWORD)


def test_tries_at_the_same_time_are_counted_before_they_are_looked_at(
    team: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, together = [], threading.Barrier(TRIES)

    def slow(said: str, kept: str | None) -> bool:
        looked.append(said)
        together.wait(120)
        return False

    monkeypatch.setattr(identity, "verify_password", slow)

    def attempt() -> None:
        with pytest.raises(NotAllowed):
            sign_in(team.workbench, "lena", "no")

    threads = [threading.Thread(target=attempt) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked) == TRIES


def test_a_token_is_its_person_with_a_ceiling(team: "Desk") -> None:
    made = team("create_token", name="ci", person="lena", role="viewer", toolsets=["curate"])
    actor, toolsets = bearer(team.workbench, made.secret, "mcp")
    assert (actor.name, actor.limit, toolsets) == ("lena", "viewer", ("curate",))
    with pytest.raises(NotAllowed, match="you are viewer"):
        team.workbench.run("get_records", {}, actor)
    wide = team("create_token", name="wide", person="lena", role="admin")
    actor, toolsets = bearer(team.workbench, wide.secret, "http")
    assert (actor.surface, actor.role, toolsets) == ("http", "labeler", None)
    team.workbench.run("get_records", {}, actor)
    with pytest.raises(NotAllowed, match="you are labeler"):
        team.workbench.run("search_audit", {}, actor)


def test_the_machines_own_user_keeps_what_the_settings_say(desk: "Desk") -> None:
    made = desk("create_token", name="editor", role="engineer")
    actor, _ = bearer(desk.workbench, made.secret, "mcp")
    assert (actor.name, actor.role, actor.service) == ("ana", "engineer", False)


def test_a_token_of_somebody_nobody_signs_in_as_is_never_a_person(team: "Desk") -> None:
    team("add_person", person="builder", role="admin")
    secret = team("create_token", name="ci", person="builder", role="admin").secret
    actor = bearer(team.workbench, secret, "mcp")[0].through("mcp", person=True)
    assert actor.service
    assert not actor.person
    with pytest.raises(NotAllowed, match="for people"):
        team.workbench.run("decide_approval", {"plan": 1, "approve": True}, actor)
    theirs = team("create_token", name="own", person="lena", role="reviewer").secret
    assert bearer(team.workbench, theirs, "mcp")[0].through("mcp", person=True).person


def write(desk: "Desk", **values: Any) -> None:
    """As another process would: nothing tells this one."""
    desk.workbench.database.write(
        lambda store: store.tx.db.execute(update(tokens).values(**values))
    )


def test_expired_revoked_unknown_and_disabled_are_refused(
    team: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MAX_AGE_S", 0)
    secret = team("create_token", name="ci", person="lena").secret
    for wrong in ("", "dbw_", secret[:-1], secret + "x", secret.upper(), "\ud800"):
        with pytest.raises(NotAllowed, match="nobody"):
            bearer(team.workbench, wrong, "mcp")
    write(team, expires_at=now() - 1)
    with pytest.raises(NotAllowed, match="expired"):
        bearer(team.workbench, secret, "mcp")
    write(team, expires_at=now() + 10_000_000, revoked_at=now())
    with pytest.raises(NotAllowed, match="revoked"):
        bearer(team.workbench, secret, "mcp")
    write(team, revoked_at=None)
    bearer(team.workbench, secret, "mcp")
    team("disable_person", person="lena")
    with pytest.raises(NotAllowed, match="disabled"):
        bearer(team.workbench, secret, "mcp")
    rows = [row for row in team.rows(audit) if row["operation"] == "bearer"]
    assert [row["outcome"] for row in rows] == ["refused"] * 4, "a flood is on record once"
    assert secret[4:] not in str(rows)


def test_a_cached_token_ends_when_it_expires(team: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    secret = team("create_token", name="ci", person="lena").secret
    bearer(team.workbench, secret, "mcp")
    later = now() + 91 * 86_400_000_000
    monkeypatch.setattr(identity, "now", lambda: later)
    with pytest.raises(NotAllowed, match="expired"):
        bearer(team.workbench, secret, "mcp")


def test_when_it_was_used_is_written_once_a_minute(
    team: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MAX_AGE_S", 0)
    secret = team("create_token", name="ci", person="lena").secret
    bearer(team.workbench, secret, "mcp")
    first = team.rows(tokens)[0]["used_at"]
    assert now() - first < 60_000_000
    bearer(team.workbench, secret, "mcp")
    assert team.rows(tokens)[0]["used_at"] == first
    write(team, used_at=first - 61_000_000)
    bearer(team.workbench, secret, "mcp")
    assert team.rows(tokens)[0]["used_at"] > first
