"""Tokens of a team's own sign-in server at `/mcp`: which are taken, how far they go, what others are told."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestFormParams, ElicitResult

from databits.actor import Role
from databits.errors import Invalid, NotAllowed
from databits.oauth.tokens import tokens_of
from databits.settings import Settings
from databits.store.tables import audit, changes
from databits.workbench import Workbench
from mcp_server.callers import callers_of
from mcp_server.http import http_app
from tests.accounts import add_token, disable, run
from tests.mcp_server.conftest import Grow
from tests.mcp_server.test_callers import HELLO, bearer, connected, rows
from tests.mcp_server.test_http import ACCEPTS, HOME, PING, served
from tests.sign_in_server import SigningKey, SignInServer

pytestmark = pytest.mark.anyio
ERAS = pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
DESCRIBED = f"{HOME}/.well-known/oauth-protected-resource/mcp"
VIEWER, LABELER, REVIEWER, ENGINEER = (
    f"databits:{role}" for role in ("viewer", "labeler", "reviewer", "engineer")
)
RSA = SigningKey.new("rsa", "RS256")
Served = Callable[..., Any]


@pytest.fixture(scope="module")
def running() -> Iterator[SignInServer]:
    with SignInServer() as server:
        yield server


@pytest.fixture
def theirs(running: SignInServer) -> SignInServer:
    """The sign-in server, with nothing left of other tests."""
    running.keys, running.answers, running.person = [RSA, SigningKey.new("first")], True, "lena"
    running.description = "oauth-authorization-server"
    running.asked.clear()
    running.authorized.clear()
    return running


@pytest.fixture
def trusting(workbench: Workbench, theirs: SignInServer) -> Workbench:
    """A workbench that takes its tokens, and where lena is an engineer."""
    return trust(workbench, theirs)


def trust(workbench: Workbench, theirs: SignInServer, **settings: Any) -> Workbench:
    # Where others come in, files are imported from named folders only.
    roots = [workbench.settings.home.parent]
    ours = {"oauth_issuer": theirs.url, "oauth_resource": f"{HOME}/mcp", "roots": roots}
    chosen = {**ours, **settings}
    workbench.settings = workbench.settings.model_copy(update=chosen)
    workbench.__dict__.pop("tokens", None)
    add(workbench, "sso+lena", "engineer")
    return workbench


def add(workbench: Workbench, name: str, role: Role | None) -> None:
    if name not in [person.name for person in run(workbench, "list_people").rows]:
        run(workbench, "add_person", person=name, role=role)


async def asked(workbench: Workbench, secret: str, body: Any = PING) -> httpx2.Response:
    async with served(workbench, stateless=True) as http:
        return await http.post("/mcp", json=body, headers=ACCEPTS | bearer(secret))


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


def events(workbench: Workbench, operation: str) -> list[Any]:
    return [row for row in rows(workbench, audit) if row.operation == operation]


# tokens that are taken ---------------------------------------------------------------------


@ERAS
async def test_a_call_is_made_in_the_name_of_whom_the_token_names_through_its_application(
    trusting: Workbench, theirs: SignInServer, grow: Grow, era: str
) -> None:
    grow(2)
    said = {"databit": "support", "items": [1], "label": "bug"}
    async with (
        served(trusting) as http,
        connected(http, theirs.token(REVIEWER), era) as client,
    ):
        done = await client.call_tool("correct_labels", said)
    assert not done.is_error, done.content
    [change] = [row for row in rows(trusting, changes) if row.operation == "correct_labels"]
    assert change.actor == "sso+lena"
    [event] = events(trusting, "correct_labels")
    spoken = "2026-07-28" if era == "2026-07-28" else "2025-11-25"
    assert event.client == f"mcp 0.1.0 (mcp {spoken}) by the-editor"
    assert event.role == "reviewer", "an engineer, as far as the token goes"


@pytest.mark.parametrize(
    ("key", "header", "claims"),
    [
        (RSA, {}, {}),
        (replace(RSA, algorithm="RS256"), {"typ": "application/at+jwt"}, {}),
        (None, {"typ": "AT+JWT"}, {"aud": ["https://other.example", f"{HOME}/mcp"]}),
        (None, {}, {"aud": "HTTP://127.0.0.1:8765/mcp/"}),
        (None, {"typ": "JWT"}, {"typ": "Bearer", "azp": "the-editor"}),  # Keycloak
        (None, {"typ": "JWT"}, {"scp": "databits:viewer", "scope": None}),  # Entra
        (None, {}, {"exp": int(time.time()) - 5}),
        (None, {}, {"nbf": int(time.time()) + 20}),
    ],
    ids=[
        "RSA", "media type", "several audiences", "the URL in capitals", "Keycloak", "Entra",
        "a clock that is late", "a clock that is early",
    ],
)  # fmt: skip
async def test_tokens_as_servers_make_them_are_taken(
    trusting: Workbench, theirs: SignInServer, key: SigningKey | None, header: Any, claims: Any
) -> None:
    if "exp" in claims:
        claims = {"exp": int(time.time()) - 5}
    without = [name for name, value in claims.items() if value is None]
    secret = theirs.token(VIEWER, key=key, header=header, without=without, **claims)
    answer = await asked(trusting, secret)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("description", ["oauth-authorization-server", "openid-configuration"])
async def test_the_keys_are_found_by_the_issuers_own_description(
    workbench: Workbench, theirs: SignInServer, description: str
) -> None:
    theirs.description = description
    answer = await asked(trust(workbench, theirs), theirs.token(VIEWER))
    assert answer.status_code == 200
    assert theirs.asked[-2:] == [f"/.well-known/{description}", "/keys"]


async def test_keys_can_lie_in_a_file_and_nothing_is_asked(
    workbench: Workbench, theirs: SignInServer, tmp_path: Any
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [key.jwk for key in theirs.keys]}))
    answer = await asked(trust(workbench, theirs, oauth_keys=str(file)), theirs.token(VIEWER))
    assert answer.status_code == 200
    assert theirs.asked == []


async def test_a_token_is_checked_once(trusting: Workbench, theirs: SignInServer) -> None:
    secret, decoded = theirs.token(VIEWER), []
    with pytest.MonkeyPatch.context() as patch:
        real = jwt.decode
        patch.setattr(jwt, "decode", lambda *a, **k: decoded.append(1) or real(*a, **k))
        for _ in range(3):
            assert (await asked(trusting, secret)).status_code == 200
    assert len(decoded) == 1
    assert theirs.keys_asked() == 1


async def test_our_own_tokens_go_on_working_beside_them(
    trusting: Workbench, theirs: SignInServer
) -> None:
    add(trusting, "bea", "reviewer")
    secret = add_token(trusting, "bea")
    assert (await asked(trusting, secret)).status_code == 200
    assert (await asked(trusting, "dbw_made-up")).status_code == 401
    assert theirs.asked == [], "it is never shown one of ours"


# tokens that are refused -------------------------------------------------------------------


def hmac_with_the_public_key(theirs: SignInServer) -> str:
    """What a server falls for that takes whatever algorithm a token says."""
    pem = RSA.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "typ": "at+jwt", "kid": RSA.kid}
    signed = f"{encoded(header)}.{theirs.token(VIEWER).split('.')[1]}"
    digest = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def unsigned(theirs: SignInServer) -> str:
    _, body, _ = theirs.token(VIEWER).split(".")
    return f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': 'first'})}.{body}."


def without_key_id(theirs: SignInServer) -> str:
    claims = jwt.decode(theirs.token(VIEWER), options={"verify_signature": False})
    return jwt.encode(claims, RSA.private, "RS256", headers={"typ": "at+jwt"})


def tampered(theirs: SignInServer) -> str:
    header, body, signature = theirs.token(VIEWER).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{header}.{encoded(claims | {'scope': 'databits:admin'})}.{signature}"


def an_id_token(theirs: SignInServer) -> str:
    return theirs.token(VIEWER, header={"typ": "JWT"}, nonce="n-1")


REFUSED: dict[str, tuple[Callable[[SignInServer], str], str]] = {
    "another issuer": (lambda s: s.token(VIEWER, iss="https://evil.example"), "another sign-in"),
    "the issuer with a slash": (lambda s: s.token(VIEWER, iss=f"{s.url}/"), "another sign-in"),
    "no issuer": (lambda s: s.token(VIEWER, without=["iss"]), "lacks a claim"),
    "another audience": (
        lambda s: s.token(VIEWER, aud="https://files.example/mcp"),
        "made for another server",
    ),
    "a longer audience": (
        lambda s: s.token(VIEWER, aud=f"{HOME}/mcp/more"),
        "made for another server",
    ),
    "the client as audience": (lambda s: s.token(VIEWER, aud="the-editor"), "another server"),
    "a number as audience": (lambda s: s.token(VIEWER, aud=[7, None]), "another server"),
    "no audience": (lambda s: s.token(VIEWER, without=["aud"]), "lacks a claim"),
    "expired": (lambda s: s.token(VIEWER, exp=int(time.time()) - 60), "has expired"),
    "no end": (lambda s: s.token(VIEWER, without=["exp"]), "lacks a claim"),
    "not yet valid": (lambda s: s.token(VIEWER, nbf=int(time.time()) + 90), "not valid yet"),
    "made tomorrow": (lambda s: s.token(VIEWER, iat=int(time.time()) + 86_400), "not valid yet"),
    "nobody": (lambda s: s.token(VIEWER, without=["sub"]), "lacks a claim"),
    "an empty name": (lambda s: s.token(VIEWER, sub=" "), "does not name a person"),
    "an unknown key": (
        lambda s: s.token(VIEWER, key=SigningKey.new("unheard-of")),
        "not signed with a key",
    ),
    "a key of its own": (
        lambda s: s.token(
            VIEWER,
            key=SigningKey.new("mine"),
            header={"jwk": SigningKey.new("mine").jwk, "jku": f"{s.url}/keys"},
        ),
        "not signed with a key",
    ),
    "no key id": (without_key_id, "which key"),
    "another key with the same id": (
        lambda s: s.token(VIEWER, key=SigningKey.new("first")),
        "not signed with a key",
    ),
    "another algorithm with the key": (
        lambda s: s.token(VIEWER, key=replace(RSA, algorithm="RS512")),
        "not signed with a key",
    ),
    "no signature": (unsigned, "not signed with a key"),
    "signed with the public key": (hmac_with_the_public_key, "not signed with a key"),
    "changed": (tampered, "not signed with a key"),
    "an ID token": (an_id_token, "no access token"),
    "an ID token by its claims' type": (
        lambda s: s.token(VIEWER, header={"typ": "JWT"}, typ="ID"),
        "no access token",
    ),
    "an ID token without scopes": (lambda s: s.token(header={"typ": "JWT"}), "no access token"),
    "a logout token": (lambda s: s.token(VIEWER, header={"typ": "logout+jwt"}), "no access token"),
    "bound to a key": (lambda s: s.token(VIEWER, cnf={"jkt": "x"}), "bound to a key"),
    "something critical": (
        lambda s: s.token(VIEWER, header={"crit": ["exp2"], "exp2": 1}),
        "malformed|no JWT",
    ),
    "no token at all": (lambda s: "x", "no JWT"),
    "brackets": (lambda s: f"{encoded_text('[' * 9000)}.e30.x", "no JWT"),
    "very long": (lambda s: s.token(VIEWER, padding="x" * 20_000), "too long"),
}


def encoded_text(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def test_a_token_that_is_not_for_us_is_refused_in_words(
    trusting: Workbench, theirs: SignInServer, caplog: pytest.LogCaptureFixture
) -> None:
    secrets, heard = [], ""
    with caplog.at_level("DEBUG"):
        async with served(trusting, stateless=True) as http:
            for case, (make, words) in REFUSED.items():
                secrets.append(make(theirs))
                headers = ACCEPTS | bearer(secrets[-1])
                answer = await http.post("/mcp", json=call("list_databits"), headers=headers)
                assert answer.status_code == 401, (case, answer.text)
                assert re.search(words, answer.json()["message"]), (case, answer.text)
                challenge = answer.headers["www-authenticate"]
                assert challenge.startswith('Bearer error="invalid_token", error_description="It ')
                assert challenge.endswith(f'scope="{VIEWER}", resource_metadata="{DESCRIBED}"')
                heard += answer.text + challenge
    told = events(trusting, "bearer")
    assert {(event.actor, event.outcome) for event in told} == {("unknown", "refused")}
    assert events(trusting, "list_databits") == []
    said = heard + str(rows(trusting, audit)) + caplog.text
    for piece in (p for secret in secrets for p in secret.split(".") if len(p) > 8):
        assert piece not in said


async def test_the_table_of_refusals_is_about_tokens_that_would_else_be_taken(
    trusting: Workbench, theirs: SignInServer
) -> None:
    for key in (RSA, theirs.keys[-1]):
        assert (await asked(trusting, theirs.token(VIEWER, key=key))).status_code == 200


async def test_without_a_token_nobody_is_this_machines_user_any_more(trusting: Workbench) -> None:
    assert trusting.settings.serves_others
    async with served(trusting, stateless=True) as http:
        answer = await http.post("/mcp", json=PING, headers=ACCEPTS)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        f'Bearer scope="{VIEWER}", resource_metadata="{DESCRIBED}"'
    )
    assert trusting.settings.oauth_issuer in answer.json()["message"]


async def test_a_flood_of_refused_tokens_is_on_record_once(
    trusting: Workbench, theirs: SignInServer
) -> None:
    for _ in range(4):
        await asked(trusting, theirs.token(VIEWER, aud="https://other.example"))
    assert len(events(trusting, "bearer")) == 1


async def test_a_disabled_person_is_kept_out_with_a_token_that_was_known(
    trusting: Workbench, theirs: SignInServer
) -> None:
    secret = theirs.token(REVIEWER)
    assert (await asked(trusting, secret)).status_code == 200
    disable(trusting, "sso+lena")
    answer = await asked(trusting, secret)
    assert answer.status_code == 403
    assert "disabled" in answer.json()["message"]
    assert "www-authenticate" not in answer.headers, "another token would not help"


async def test_a_token_without_a_scope_of_ours_is_told_which_to_ask_for(
    workbench: Workbench, theirs: SignInServer
) -> None:
    asking_for = trust(workbench, theirs, oauth_asks="labeler")
    for scopes in ((), ("openid", "profile"), ("databits:root", "xdatabits:admin", "databits:")):
        answer = await asked(asking_for, theirs.token(*scopes))
        assert answer.status_code == 403
        assert answer.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
        assert f'scope="{LABELER}"' in answer.headers["www-authenticate"]


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


# what is on the way ------------------------------------------------------------------------


async def test_the_resource_says_whose_tokens_it_takes_whatever_the_request_calls_it(
    workbench: Workbench, theirs: SignInServer
) -> None:
    trusting = trust(workbench, theirs, oauth_resource="https://Bits.example:443/team/mcp/")
    async with served(trusting, stateless=True, hosts=None) as http:
        refused = await http.post("/mcp", json=PING, headers=ACCEPTS | {"host": "evil.example"})
        named = "https://bits.example/.well-known/oauth-protected-resource/team/mcp"
        assert f'resource_metadata="{named}"' in refused.headers["www-authenticate"]
        for path in ("", "/mcp", "/team/mcp"):
            found = await http.get(
                f"/.well-known/oauth-protected-resource{path}", headers={"host": "evil.example"}
            )
            described = found.json()
            assert described["resource"] == "https://bits.example/team/mcp"
            assert described["authorization_servers"] == [theirs.url]
            assert described["scopes_supported"] == [VIEWER]
        forged = theirs.token(VIEWER, aud="http://evil.example/mcp")
        answer = await http.post(
            "/mcp", json=PING, headers=ACCEPTS | bearer(forged) | {"host": "evil.example"}
        )
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"oauth_issuer": "http://id.example"}, "OAUTH_ISSUER is a URL with https"),
        ({"oauth_issuer": "id.example"}, "OAUTH_ISSUER is a URL with https"),
        ({"oauth_issuer": "https://a:b@id.example"}, "OAUTH_ISSUER is a URL"),
        ({"oauth_issuer": "https://id.example?x=1"}, "OAUTH_ISSUER is a URL"),
        ({"oauth_issuer": "https://[x"}, "OAUTH_ISSUER is a URL"),
        ({"oauth_resource": "http://bits.example/mcp"}, "OAUTH_RESOURCE is a URL"),
        ({"oauth_keys": "http://id.example/keys"}, "OAUTH_KEYS is a URL"),
        ({"oauth_keys": "/no/such/file"}, "OAUTH_KEYS is the URL of a key set"),
        ({"oauth_prefix": "SSO "}, "OAUTH_PREFIX"),
        ({"oauth_scope_prefix": 'x" '}, "OAUTH_SCOPE_PREFIX"),
        ({"host": "0.0.0.0"}, "no DATABITS_OAUTH_RESOURCE"),
        ({"hosts": ["bits.example"]}, "no DATABITS_OAUTH_RESOURCE"),
    ],
    ids=str,
)
def test_settings_that_would_not_be_safe_are_refused_before_anything_is_served(
    workbench: Workbench, chosen: dict[str, Any], words: str
) -> None:
    settings = Settings(**{"oauth_issuer": "https://id.example", **chosen})
    with pytest.raises(Invalid, match=words):
        tokens_of(settings)
    workbench.settings = settings
    with pytest.raises(Invalid, match=words):
        http_app(workbench, settings)


def test_on_this_machine_alone_the_resource_is_the_address_of_the_server() -> None:
    found = tokens_of(Settings(oauth_issuer="https://id.example", port=9000))
    assert found is not None
    assert found.trust.resource == "http://127.0.0.1:9000/mcp"
    assert tokens_of(Settings()) is None
