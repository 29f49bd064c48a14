"""Tokens of a team's own sign-in server at `/mcp`: which are taken, and what is said to the others."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from databits.store.tables import audit, changes
from databits.workbench import Workbench
from tests.accounts import add_token, disable
from tests.mcp_server.conftest import Grow
from tests.mcp_server.test_callers import bearer, connected, rows
from tests.mcp_server.test_http import ACCEPTS, HOME, PING, served
from tests.mcp_server.trusting import (
    DESCRIBED,
    ERAS,
    LABELER,
    REVIEWER,
    VIEWER,
    asked,
    call,
    events,
)
from tests.sign_in_server import RSA, SigningKey, SignInServer, add, trust

pytestmark = pytest.mark.anyio


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
        (None, {}, {"exp": -5}),  # seconds from now, not from when the tests were collected
        (None, {}, {"nbf": 20}),
    ],
    ids=[
        "RSA", "media type", "several audiences", "the URL in capitals", "Keycloak", "Entra",
        "a clock that is late", "a clock that is early",
    ],
)  # fmt: skip
async def test_tokens_as_servers_make_them_are_taken(
    trusting: Workbench, theirs: SignInServer, key: SigningKey | None, header: Any, claims: Any
) -> None:
    now = int(time.time())
    claims = {n: now + said if n in ("exp", "nbf") else said for n, said in claims.items()}
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
