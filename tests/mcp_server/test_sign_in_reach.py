"""How far a token of a team's own sign-in server goes at `/mcp`: scopes, grants, names, approvals, renewal."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestFormParams, ElicitResult

from databits.errors import NotAllowed
from databits.store.tables import changes
from databits.workbench import Workbench
from mcp_server.callers import callers_of
from tests.accounts import run
from tests.mcp_server.conftest import Grow
from tests.mcp_server.test_callers import HELLO, bearer, connected, rows
from tests.mcp_server.test_http import ACCEPTS, HOME, PING, served
from tests.mcp_server.trusting import (
    DESCRIBED,
    ENGINEER,
    ERAS,
    LABELER,
    REVIEWER,
    VIEWER,
    asked,
    call,
    events,
)
from tests.sign_in_server import SignInServer, add, trust

pytestmark = pytest.mark.anyio


# how far they go ---------------------------------------------------------------------------


@ERAS
async def test_a_call_beyond_the_scopes_asks_for_the_scope_and_nothing_happens(
    trusting: Workbench, theirs: SignInServer, grow: Grow, era: str
) -> None:
    grow(2)
    label = {"databit": "support", "items": [1], "label": "bug"}
    before = len(rows(trusting, changes))
    read = {"jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": {"uri": "item://1"}}
    for body, scope in (
        (call("correct_labels", **label), LABELER),
        (call("run_tool", name="correct_labels", arguments=label), LABELER),
        (call("bulk_label", databit="support", verdict="label", to="bug"), REVIEWER),
        (call("assemble_dataset", databit="support"), ENGINEER),
        (read, LABELER),
    ):
        answer = await asked(trusting, theirs.token(VIEWER), body)
        assert answer.status_code == 403, (body, answer.text)
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith('Bearer error="insufficient_scope", error_description="')
        assert challenge.endswith(f'scope="{scope}", resource_metadata="{DESCRIBED}"')
        assert answer.json()["id"] == 7
        assert scope in answer.json()["error"]["message"]
    assert len(rows(trusting, changes)) == before
    assert (await asked(trusting, theirs.token(VIEWER), call("list_databits"))).status_code == 200


async def test_a_higher_scope_covers_the_lower_ones(
    trusting: Workbench, theirs: SignInServer, grow: Grow
) -> None:
    grow(1)
    said = call("correct_labels", databit="support", items=[1], label="bug")
    answer = await asked(trusting, theirs.token("openid", ENGINEER), said)
    assert answer.status_code == 200
    assert 'isError":true' not in answer.text.replace(" ", ""), answer.text


async def test_where_a_scope_would_not_help_the_tool_says_what_would(
    trusting: Workbench, theirs: SignInServer, grow: Grow
) -> None:
    grow(1)
    add(trusting, "sso+vera", "viewer")
    said = call("correct_labels", databit="support", items=[1], label="bug")
    for scope in (VIEWER, "databits:admin"):
        answer = await asked(trusting, theirs.token(scope, sub="vera"), said)
        assert answer.status_code == 200
        assert "correct_labels needs the role labeler; you are viewer" in answer.text
        answer = await asked(trusting, theirs.token(scope, sub="somebody-new"), said)
        assert "you are viewer" in answer.text


async def test_a_scope_is_not_asked_for_where_it_would_end_in_the_same_refusal(
    trusting: Workbench, theirs: SignInServer
) -> None:
    add(trusting, "sso+lars", "labeler")
    answer = await asked(trusting, theirs.token(VIEWER, sub="lars"), call("list_items"))
    assert answer.status_code == 403
    said = call("assemble_dataset", databit="support")
    answer = await asked(trusting, theirs.token(VIEWER, sub="lars"), said)
    assert answer.status_code == 200, "more than a labeler is not for lars, with any scope"
    assert "needs the role engineer" in answer.text
    for closed in ({"read_only": True}, {"toolsets": ["monitor"]}):
        trusting.settings = trusting.settings.model_copy(update=closed)
        answer = await asked(trusting, theirs.token(VIEWER), said)
        assert answer.status_code == 200, "the server itself has no such tool"
        assert "assemble_dataset" in answer.text


@ERAS
async def test_people_see_what_more_scopes_would_let_them_do_and_software_what_it_can(
    trusting: Workbench, theirs: SignInServer, era: str
) -> None:
    person, software = theirs.token(VIEWER), theirs.token(VIEWER, without=["auth_time"])
    for secret, sees in ((person, True), (software, False)):
        async with served(trusting) as http, connected(http, secret, era) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
        assert ("create_databit" in listed) == sees
        assert "get_pipeline" in listed


async def test_a_body_that_comes_in_pieces_or_is_too_long_reaches_the_transport_whole(
    trusting: Workbench, theirs: SignInServer
) -> None:
    trusting.settings = trusting.settings.model_copy(update={"body_mb": 1})
    good = json.dumps(call("list_databits")).encode()

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 20_000 if len(body) > 99_999 else 20):
            yield body[start : start + (20_000 if len(body) > 99_999 else 20)]

    typed = ACCEPTS | bearer(theirs.token(VIEWER)) | {"content-type": "application/json"}
    async with served(trusting, stateless=True) as http:
        answer = await http.post("/mcp", content=pieces(good), headers=typed)
        assert answer.status_code == 200, answer.text
        long = b'{"method": "' + b"x" * 1_100_000 + b'"}'
        assert (await http.post("/mcp", content=pieces(long), headers=typed)).status_code == 413
        for broken in (b"[]", b"{", b"null", b"[" * 100_000, b'{"method":"tools/call"}'):
            answer = await http.post("/mcp", content=broken, headers=typed)
            assert answer.status_code == 400, broken[:20]


async def test_a_session_goes_on_with_the_next_token_of_the_same_person_and_application(
    trusting: Workbench, theirs: SignInServer
) -> None:
    async with served(trusting) as http:
        opened = await http.post("/mcp", json=HELLO, headers=ACCEPTS | bearer(theirs.token(VIEWER)))
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        for secret, status in (
            (theirs.token(ENGINEER), 200),
            (theirs.token(VIEWER, sub="vera"), 404),
            (theirs.token(VIEWER, client_id="another"), 404),
        ):
            answer = await http.post("/mcp", json=PING, headers=ACCEPTS | session | bearer(secret))
            assert answer.status_code == status


def request_with(secret: str) -> dict[str, Any]:
    return {"type": "http", "headers": [(b"authorization", f"Bearer {secret}".encode())]}


def test_what_goes_on_for_long_goes_on_with_the_next_token_and_ends_with_the_last(
    trusting: Workbench, theirs: SignInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers, moment = callers_of(trusting), time.time()
    first = request_with(theirs.token(VIEWER))
    before = callers.of(first, "mcp")
    callers.of(request_with(theirs.token(REVIEWER, exp=int(moment) + 900)), "mcp")
    callers.of(request_with(theirs.token(VIEWER, sub="vera", exp=int(moment) + 9000)), "mcp")
    monkeypatch.setattr("databits.oauth.tokens.time.time", lambda: moment + 600)
    assert callers.again(first, "mcp", before).actor.name == "sso+lena"
    run(trusting, "disable_person", person="sso+lena")
    with pytest.raises(NotAllowed, match="disabled"):
        callers.again(first, "mcp", before)
    run(trusting, "disable_person", person="sso+lena", disabled=False)
    monkeypatch.setattr("databits.oauth.tokens.time.time", lambda: moment + 931)
    with pytest.raises(NotAllowed, match="expired"):
        callers.again(first, "mcp", before)


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        ({}, True),
        ({"auth_time": None, "sid": "s-1"}, True),
        ({"auth_time": None, "scope": None, "scp": "databits:engineer"}, True),
        ({"auth_time": None}, False),
        ({"sub": "the-editor", "preferred_username": "lena"}, False),
        ({"idtyp": "app"}, False),
        ({"gty": "client-credentials"}, False),
        ({"preferred_username": "service-account-lena"}, False),
    ],
    ids=str,
)
async def test_a_yes_counts_where_the_sign_in_server_says_that_a_person_was_there(
    trusting: Workbench, theirs: SignInServer, grow: Grow, claims: dict[str, Any], person: bool
) -> None:
    grow(1)
    add(trusting, "sso+the-editor", "engineer")
    without = [name for name, value in claims.items() if value is None]
    secret = theirs.token(ENGINEER, without=without, **claims)
    asked_for: list[str] = []

    async def yes(_: Any, params: ElicitRequestFormParams) -> ElicitResult:
        asked_for.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})

    async with served(trusting) as http:
        http.headers.update(bearer(secret))
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        async with Client(transport, mode="2026-07-28", elicitation_callback=yes) as client:
            label_all = {"databit": "support", "verdict": "label", "to": "bug"}
            done = await client.call_tool("bulk_label", label_all)
    assert asked_for
    assert done.is_error != person
    assert ("for people" in str(done.content)) != person


# names -------------------------------------------------------------------------------------


async def test_nobody_gets_the_name_of_a_local_account(
    workbench: Workbench, theirs: SignInServer
) -> None:
    """`ana` is this machine's user, an admin; `ci` is software with a role."""
    trusting = trust(workbench, theirs, oauth_person="preferred_username")
    add(trusting, "ci", "engineer")
    for name in ("ana", "ci", "ANA"):
        secret = theirs.token("databits:admin", preferred_username=name)
        answer = await asked(trusting, secret, call("create_databit", name="x", labels=["a", "b"]))
        assert "you are viewer" in answer.text, name
    assert {event.actor for event in events(trusting, "create_databit")} == {"sso+ana", "sso+ci"}


async def test_an_empty_prefix_makes_them_the_local_accounts_and_still_not_the_machines_admin(
    workbench: Workbench, theirs: SignInServer
) -> None:
    trusting = trust(workbench, theirs, oauth_prefix="")
    add(trusting, "ci", "engineer")
    make = call("create_databit", name="x", labels=["a", "b"])
    answer = await asked(trusting, theirs.token("databits:admin", sub="ci"), make)
    assert answer.status_code == 200
    assert [event.actor for event in events(trusting, "create_databit")] == ["ci"]
    answer = await asked(trusting, theirs.token("databits:admin", sub="ana"), make)
    assert "you are viewer" in answer.text


async def test_an_address_that_was_not_verified_names_nobody(
    workbench: Workbench, theirs: SignInServer
) -> None:
    trusting = trust(workbench, theirs, oauth_person="email")
    lena = {"email": "Lena@Bits.example"}
    for verified, status in ((True, 200), (False, 401), ("true", 401), (None, 401)):
        secret = theirs.token(VIEWER, **lena, email_verified=verified)
        assert (await asked(trusting, secret)).status_code == status, verified
    tokens = trusting.tokens
    assert tokens is not None
    secret = theirs.token(VIEWER, **lena, email_verified=True)
    assert tokens.check(secret).person == "sso+lena@bits.example"


async def test_a_claim_that_is_missing_is_not_replaced_by_another(
    workbench: Workbench, theirs: SignInServer
) -> None:
    answer = await asked(trust(workbench, theirs, oauth_person="oid"), theirs.token(VIEWER))
    assert answer.status_code == 401
    assert "DATABITS_OAUTH_PERSON" in answer.json()["message"]
