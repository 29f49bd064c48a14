"""With a team's own sign-in server: what is open without a token, and what a token opens beside `/mcp`."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from databits.errors import Invalid
from databits.store.tables import audit
from tests.conftest import Desk
from tests.sign_in_server import SignInServer
from tests.ui.conftest import ORIGIN, Served
from tests.ui.test_door import BROWSER, DESCRIBED, PRIVATE, outsider, routes_of
from ui.app import _refuse_unguarded, build_app
from ui.door import OPEN

VIEWER, ENGINEER = "databits:viewer", "databits:engineer"
RESOURCE = f"{ORIGIN}/mcp"


@pytest.fixture
def theirs() -> Iterator[SignInServer]:
    with SignInServer(resource=RESOURCE) as server:
        yield server


@pytest.fixture
def trusting(queued: Desk, theirs: SignInServer) -> Desk:
    """A workbench where nobody has a password, and lena may come with a token."""
    queued("add_person", person="sso+lena", role="engineer")
    chosen = {"oauth_issuer": theirs.url, "oauth_resource": RESOURCE}
    queued.workbench.settings = queued.workbench.settings.model_copy(update=chosen)
    return queued


@pytest.fixture
def app(trusting: Desk) -> FastAPI:
    return build_app(trusting.workbench.settings, trusting.workbench)


def with_token(app: FastAPI, secret: str) -> TestClient:
    client = outsider(app)
    client.headers["authorization"] = f"Bearer {secret}"
    return client


def test_no_route_answers_without_a_token_on_this_machine_either(app: FastAPI) -> None:
    """Behind a proxy on this machine, everybody comes from loopback."""
    client = outsider(app)
    for method, path in sorted(set(routes_of(app.routes))):
        if path in OPEN or path in DESCRIBED or path.startswith("/local/"):
            continue
        answer = client.request(method, path, headers=BROWSER)
        assert answer.status_code in (303, 401), (method, path, answer.status_code)
        assert not PRIVATE.search(answer.text), (method, path)


def test_a_token_is_for_the_routes_of_software_and_not_for_the_page(
    app: FastAPI, theirs: SignInServer
) -> None:
    client = with_token(app, theirs.token(ENGINEER))
    assert client.get("/api/2.0/serving-endpoints").json() == {"endpoints": []}
    assert client.get("/ui/").status_code == 401
    assert client.get("/ui/config").status_code == 401


@pytest.mark.parametrize(
    ("claims", "scopes", "status", "challenge"),
    [
        ({"aud": "https://files.example"}, (VIEWER,), 401, 'Bearer error="invalid_token", '),
        ({"iss": "https://evil.example"}, (VIEWER,), 401, 'Bearer error="invalid_token", '),
        ({}, (), 403, 'Bearer error="insufficient_scope", '),
    ],
    ids=["another resource", "another issuer", "no scope"],
)
def test_the_other_routes_refuse_as_mcp_does_and_describe_no_resource(
    app: FastAPI,
    theirs: SignInServer,
    claims: dict[str, Any],
    scopes: tuple[str, ...],
    status: int,
    challenge: str,
) -> None:
    client = with_token(app, theirs.token(*scopes, **claims))
    for method, path in (
        ("POST", "/responses"),
        ("POST", "/invocations"),
        ("POST", "/serving-endpoints/support/invocations"),
        ("GET", "/api/2.0/serving-endpoints"),
    ):
        answer = client.request(method, path, json={})
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["www-authenticate"].startswith(challenge), path
        assert "resource_metadata" not in answer.headers["www-authenticate"], path


def test_when_the_sign_in_server_is_down_it_is_said_and_nobody_comes_in(
    app: FastAPI, theirs: SignInServer
) -> None:
    theirs.answers = False
    answer = with_token(app, theirs.token(ENGINEER)).get("/api/2.0/serving-endpoints")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "sign-in server can not be asked" in answer.json()["message"]


def test_a_person_whom_the_proxy_vouches_for_goes_before_what_else_comes_with_the_request(
    trusting: Desk, theirs: SignInServer
) -> None:
    """A platform's proxy passes on tokens of its own; they are not ours to judge."""
    chosen = {"identity_header": "X-Forwarded-Email", "trusted_proxy": ["127.0.0.1"]}
    settings = trusting.workbench.settings.model_validate(
        trusting.workbench.settings.model_dump() | chosen
    )
    trusting.workbench.settings = settings
    client = with_token(build_app(settings, trusting.workbench), "the.platforms.own")
    mine = {"X-Forwarded-Email": "bo@bits.example"}
    assert client.get("/api/2.0/serving-endpoints", headers=mine).status_code == 200
    assert client.get("/api/2.0/serving-endpoints").status_code == 401
    assert theirs.asked == []


def test_with_a_sign_in_server_others_can_be_served_before_anybody_has_a_password(
    trusting: Desk,
) -> None:
    settings = trusting.workbench.settings.model_copy(update={"host": "0.0.0.0"})
    _refuse_unguarded(settings, trusting.workbench)
    without = settings.model_copy(update={"oauth_issuer": ""})
    with pytest.raises(Invalid, match="DATABITS_OAUTH_ISSUER"):
        _refuse_unguarded(without, trusting.workbench)


@pytest.mark.slow
def test_the_assistant_acts_within_the_token_it_was_asked_with(
    trusting: Desk, theirs: SignInServer
) -> None:
    with Served(trusting.workbench) as served:
        for scope, words in (
            (ENGINEER, "billing"),
            (VIEWER, "needs the role"),
        ):
            answer = httpx.post(
                f"{served.url}/responses",
                json={"input": "create a databit called mail with the labels billing, bug"},
                headers={"authorization": f"Bearer {theirs.token(scope)}"},
                timeout=60,
            )
            assert answer.status_code == 200, answer.text
            assert re.search(words, answer.text), answer.text
    told = [row for row in trusting.rows(audit) if row["operation"] == "create_databit"]
    assert [(row["actor"], row["outcome"]) for row in told][-2:] == [
        ("sso+lena", "ok"),
        ("sso+lena", "refused"),
    ]
    assert {row["client"] for row in told[-2:]} == {"databits-agent by the-editor"}
