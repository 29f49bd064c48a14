"""Which routes let whom in: every one of them, Gradio's own among them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from databits.actor import Actor
from databits.platforms.embedded import Embedded
from databits.remote import Server
from databits.settings import Settings
from databits.store.tables import metadata
from mcp_server.callers import callers_of
from mcp_server.protected import WELL_KNOWN
from tests.accounts import PASSWORD, add_account, add_token, disable, revoke_tokens, set_password
from tests.conftest import Desk
from tests.ui.conftest import ORIGIN
from ui.app import build_app
from ui.door import OPEN, Door
from ui.sessions import Sessions

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
DESCRIBED = (WELL_KNOWN, f"{WELL_KNOWN}/mcp")
PRIVATE = re.compile(r"\b(ana|bea|support|invoice)\b", re.IGNORECASE)
"""Words of the workspace that nobody may read without signing in."""


@pytest.fixture
def closed(queued: Desk) -> FastAPI:
    """The app over a queue of tickets, where bea has an account."""
    add_account(queued.workbench, "bea")
    app = build_app(queued.workbench.settings, queued.workbench)
    app.state.server = Server("127.0.0.1", 8765, "the-secret", 1)  # as when it is started
    return app


def outsider(app: FastAPI, **options: Any) -> TestClient:
    return TestClient(
        app,
        base_url=ORIGIN,
        raise_server_exceptions=False,
        follow_redirects=False,
        client=("127.0.0.1", 50_000),
        **options,
    )


def signed_in(app: FastAPI, name: str = "bea", password: str = PASSWORD) -> TestClient:
    client = outsider(app)
    entered = client.post("/sign-in", data={"name": name, "password": password})
    assert entered.status_code == 303, entered.text
    return client


def routes_of(routes: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route, with something in the place of every parameter."""
    for route in routes:
        if isinstance(route, Mount):
            yield from routes_of(route.routes, prefix + route.path)
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from routes_of(included.routes, prefix)
        else:
            path = re.sub(r"\{[^}]*\}", "x", prefix + route.path)
            for method in getattr(route, "methods", None) or ("GET", "POST"):
                yield method, path


def test_no_route_answers_somebody_unknown(closed: FastAPI) -> None:
    client = outsider(closed)
    seen = set(routes_of(closed.routes))
    assert len(seen) > 80
    assert ("POST", "/ui/gradio_api/queue/join") in seen
    for method, path in sorted(seen):
        if path in OPEN or path in DESCRIBED:
            continue
        answer = client.request(method, path, content=b"{}")
        assert answer.status_code == 401, (method, path, answer.status_code)
        assert not PRIVATE.search(answer.text), path
        if method == "GET":
            page = client.get(path, headers=BROWSER)
            assert page.status_code in (303, 401), path
            assert page.headers.get("location", "/sign-in") == "/sign-in", path


def test_paths_that_look_alike_are_not_let_in_either(closed: FastAPI) -> None:
    client = outsider(closed)
    for path in (
        "/mcp/",
        "//mcp",
        "/MCP",
        "/ui",
        "/ui/%2e%2e%2fhealth",
        "/health/",
        "/health%2f..%2fui/config",
        "/sign-in/",
        "/%75i/config",
        "/ui/gradio_api/config",
        "/responses/",
        "/invocations/x",
        "/api/2.0/serving-endpoints/",
        "/nothing",
    ):
        assert client.get(path).status_code == 401, path


def test_open_routes_say_nothing_of_the_workspace(closed: FastAPI) -> None:
    client = outsider(closed)
    for path in OPEN - {"/sign-out"}:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert not PRIVATE.search(answer.text), path
    for path in DESCRIBED:
        told = client.get(path)
        assert told.status_code == 200, path
        assert told.json()["resource"] == f"{ORIGIN}/mcp"
        assert "authorization_servers" not in told.json(), "there is none; tokens are made here"
        assert not PRIVATE.search(told.text), path
    assert client.get("/.well-known/oauth-authorization-server").status_code == 404


def test_a_websocket_is_closed_to_somebody_unknown(closed: FastAPI) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        outsider(closed).websocket_connect("/ui/gradio_api/queue/join"),
    ):
        pass
    assert refused.value.code == 1008


def test_without_accounts_nobody_is_asked(app: FastAPI) -> None:
    client = outsider(app)
    assert client.get("/ui/config").status_code == 200
    assert client.get("/api/2.0/serving-endpoints").status_code == 200
    shown = client.get("/sign-in")
    assert (shown.status_code, shown.headers["location"]) == (303, "/ui/")


def test_the_first_account_closes_the_door_to_this_machines_user(
    app: FastAPI, workbench: Embedded
) -> None:
    client = outsider(app)
    assert client.get("/ui/config").status_code == 200
    add_account(workbench, "bea")
    assert client.get("/ui/config").status_code == 401
    assert client.get("/api/2.0/serving-endpoints").status_code == 401


@pytest.mark.parametrize(
    "chosen",
    [
        {"require_sign_in": True},
        {"host": "0.0.0.0"},
        {"identity_header": "x-forwarded-email", "trusted_proxy": ["10.0.0.0/8"]},
    ],
)
def test_settings_can_close_it_before_there_is_an_account(
    workbench: Embedded, chosen: dict[str, Any]
) -> None:
    settings = Settings(**{**workbench.settings.model_dump(), **chosen})
    workbench.settings = settings
    client = outsider(build_app(settings, workbench))
    for path in ("/ui/config", "/api/2.0/serving-endpoints", "/mcp"):
        assert client.get(path).status_code == 401, path
    assert "databits person add" in client.get("/sign-in").text


def test_a_session_opens_the_page_and_nothing_that_takes_a_token(closed: FastAPI) -> None:
    client = signed_in(closed)
    assert client.get("/ui/config").status_code == 200
    for method, path in (
        ("POST", "/mcp"),
        ("POST", "/responses"),
        ("GET", "/api/2.0/serving-endpoints"),
    ):
        assert client.request(method, path, json={}).status_code == 401, path


def test_a_token_opens_endpoints_and_not_the_page(closed: FastAPI, queued: Desk) -> None:
    token = {"Authorization": f"Bearer {add_token(queued.workbench, 'bea')}"}
    client = outsider(closed, headers=token)
    assert client.get("/api/2.0/serving-endpoints").json() == {"endpoints": []}
    assert client.get("/ui/config").status_code == 401


def test_a_refused_token_says_how_to_get_one_and_is_not_repeated(
    closed: FastAPI, queued: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    workbench = queued.workbench
    gone, old = add_token(workbench, "bea"), add_token(workbench, "bea", expired=True)
    add_account(workbench, "cleo")
    kept_out = add_token(workbench, "cleo")
    disable(workbench, "cleo")
    secrets = ["dbw_made-up", "none-of-ours", old, kept_out, gone]
    client = outsider(closed)
    headers = {"Authorization": f"bearer {gone}"}
    assert client.get("/api/2.0/serving-endpoints", headers=headers).status_code == 200
    revoke_tokens(workbench, "bea")
    for secret in secrets:
        answer = client.get(
            "/api/2.0/serving-endpoints", headers={"Authorization": f"Bearer {secret}"}
        )
        assert answer.status_code == 401, secret
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "databits token create" in answer.json()["message"]
        assert secret not in answer.text + caplog.text
    kept = str([queued.rows(table) for table in metadata.sorted_tables if "id" in table.c])
    assert not [secret for secret in secrets if secret in kept]


def test_a_wrong_token_is_never_taken_for_this_machines_user(app: FastAPI) -> None:
    client = outsider(app)
    ours = {"Authorization": "Bearer dbw_made-up"}
    assert client.get("/api/2.0/serving-endpoints", headers=ours).status_code == 401
    several = [("Authorization", "Bearer x"), ("Authorization", "Bearer dbw_made-up")]
    assert client.get("/api/2.0/serving-endpoints", headers=several).status_code == 401
    foreign = {"Authorization": "Bearer a-client-that-must-send-one"}
    assert client.get("/api/2.0/serving-endpoints", headers=foreign).status_code == 200


def test_a_token_is_kept_within_its_toolsets(closed: FastAPI, queued: Desk) -> None:
    curate = add_token(queued.workbench, "bea", toolsets=["curate"])
    client = outsider(closed, headers={"Authorization": f"Bearer {curate}"})
    listed = client.get("/api/2.0/serving-endpoints")
    assert (listed.status_code, listed.json()["error_code"]) == (403, "PERMISSION_DENIED")
    asked = client.post("/serving-endpoints/x/invocations", json={"inputs": ["a"]})
    assert asked.status_code == 403


def test_only_this_machine_reaches_the_local_api(closed: FastAPI) -> None:
    for address, status in (("203.0.113.9", 404), ("10.0.0.4", 404), ("127.0.0.1", 401)):
        client = TestClient(closed, base_url=ORIGIN, client=(address, 4711))
        assert client.post("/local/run", json={}).status_code == status, address


def test_a_new_password_and_a_disabled_account_end_sessions(
    closed: FastAPI, queued: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.sessions.CHECKED_EVERY_S", 0)
    add_account(queued.workbench, "cleo")  # with nobody left, this machine's user is let in again
    client = signed_in(closed)
    assert client.get("/ui/config").status_code == 200
    set_password(queued.workbench, "bea", "another password")
    assert client.get("/ui/config").status_code == 401
    client = signed_in(closed, password="another password")
    disable(queued.workbench, "bea")
    assert client.get("/ui/config").status_code == 401
    disable(queued.workbench, "bea", disabled=False)
    assert client.get("/ui/config").status_code == 401, "a session that has ended stays so"


def test_a_session_ends_by_itself(closed: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.sessions.HOURS", 0)
    client = signed_in(closed)
    assert client.get("/ui/config").status_code == 401


def test_a_page_of_another_site_can_neither_sign_in_nor_out(closed: FastAPI) -> None:
    client = signed_in(closed)
    for path in ("/sign-in", "/sign-out"):
        answer = client.post(path, data={"name": "x"}, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
    assert client.get("/ui/config").status_code == 200


def test_a_made_up_cookie_is_no_session(closed: FastAPI) -> None:
    for cookie in ("x", "a" * 43, '"; databits-8765=x', "\x7f"):
        answer = outsider(closed).get("/ui/config", headers={"Cookie": f"databits-8765={cookie}"})
        assert answer.status_code == 401


def test_what_a_page_is_told_is_for_the_person_who_opened_it(closed: FastAPI, queued: Desk) -> None:
    add_account(queued.workbench, "cleo")
    bea, cleo = signed_in(closed), signed_in(closed, "cleo")
    asked = "/ui/gradio_api/queue/status?session_hash=a-page-of-bea"
    assert bea.get(asked).status_code == 200
    assert cleo.get(asked).status_code == 403
    assert bea.get(asked).status_code == 200


@pytest.mark.anyio
async def test_a_stream_is_cut_off_when_its_session_ends(queued: Desk) -> None:
    workbench = queued.workbench
    add_account(workbench, "bea")
    sessions = Sessions(workbench)
    secret = sessions.open(Actor("bea", "reviewer", "chat"))
    sent: list[bytes] = []

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        kind = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        for n in range(4):
            await send({"type": "http.response.body", "body": b"%d" % n, "more_body": True})
            if n == 1:
                sessions.close(secret)

    async def keep(message: Any) -> None:
        sent.append(message.get("body", b"start"))

    async def nothing() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/ui/stream",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8765"), (b"cookie", f"databits-8765={secret}".encode())],
        "server": ("127.0.0.1", 8765),
        "scheme": "http",
    }
    door = Door(stream, callers_of(workbench), sessions)
    await door(scope, nothing, keep)
    assert sent == [b"start", b"0", b"1", b""]
