"""Signing in at the page: the form, the cookie, and what keeps guessing slow."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from databits.platforms.embedded import Embedded
from databits.settings import Settings
from tests.accounts import PASSWORD, add_account, disable, run
from tests.conftest import Desk
from tests.ui.conftest import ORIGIN
from tests.ui.test_door import outsider, signed_in
from ui.app import build_app
from ui.signin import FAILURES, Attempts


@pytest.fixture
def closed(workbench: Embedded, app: FastAPI) -> FastAPI:
    add_account(workbench, "bea", "reviewer")
    add_account(workbench, "carl", "labeler")
    return app


def enter(client: TestClient, name: str, password: str, **options: Any) -> Any:
    return client.post("/sign-in", data={"name": name, "password": password}, **options)


def decide(client: TestClient, item: int, label: str) -> Any:
    """What the review page sends when a label's key is pressed."""
    config = client.get("/ui/config").json()
    [page] = [c for c in config["components"] if c["props"].get("elem_id") == "review"]
    body = {
        "data": {"databit": "support", "item": item, "verb": "correct", "label": label},
        "component_id": page["id"],
        "fn_name": "decide",
        "session_hash": "abc",
    }
    return client.post("/ui/gradio_api/component_server", json=body)


def test_the_cookie_is_for_this_server_and_no_script(closed: FastAPI) -> None:
    cookie = enter(outsider(closed), "bea", PASSWORD).headers["set-cookie"].lower()
    name, _, rest = cookie.partition("=")
    assert name == "databits-8765"
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= set(rest.split("; "))
    assert "secure" not in rest
    assert len(rest.partition(";")[0]) >= 43


def test_off_this_machine_the_cookie_travels_over_https_only(workbench: Embedded) -> None:
    add_account(workbench, "bea")
    settings = Settings(**{**workbench.settings.model_dump(), "hosts": ["bits.example"]})
    client = TestClient(
        build_app(settings, workbench), base_url="https://bits.example", follow_redirects=False
    )
    cookie = enter(client, "bea", PASSWORD).headers["set-cookie"]
    assert cookie.startswith("__Host-databits=")
    assert "Secure" in cookie
    assert client.get("/ui/config").status_code == 200


def test_wrong_words_show_the_form_again_with_the_name_and_not_the_password(
    closed: FastAPI,
) -> None:
    client = outsider(closed)
    for name, password in (("bea", "wrong-password"), ("nobody", PASSWORD), ("", "")):
        answer = enter(client, name, password)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "The name or the password is wrong." in answer.text
        assert not password or password not in answer.text
    assert 'value="bea"' in enter(client, "bea", "wrong-password").text


def test_what_is_typed_as_a_name_is_shown_as_text(closed: FastAPI) -> None:
    shown = enter(outsider(closed), '"><script>alert(1)</script>', "x").text
    assert "<script>alert" not in shown


def test_a_body_that_is_no_form_is_refused(closed: FastAPI) -> None:
    client = outsider(closed)
    assert client.post("/sign-in", content=b"name=" + b"x" * 100_000).status_code == 413
    assert client.post("/sign-in", content=b"\xff\xfe").status_code == 413
    assert client.post("/sign-in", content=b"&".join([b"name=a"] * 50)).status_code == 413
    assert client.post("/sign-in").status_code == 401


def test_an_address_that_fails_too_often_has_to_wait_whatever_the_names(
    closed: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = outsider(closed)
    for n in range(FAILURES):
        assert enter(client, f"name-{n}", "wrong").status_code == 401
    limited = enter(client, "bea", PASSWORD)
    assert limited.status_code == 429
    assert 0 < int(limited.headers["retry-after"]) <= 300
    other = TestClient(closed, base_url=ORIGIN, client=("127.0.0.2", 1), follow_redirects=False)
    assert enter(other, "bea", PASSWORD).status_code == 303
    monkeypatch.setattr("ui.signin.WITHIN_S", 0.0)
    assert enter(client, "bea", PASSWORD).status_code == 303


def test_a_crowd_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.signin.ADDRESSES", 100)
    attempts = Attempts()
    for n in range(1000):
        attempts.failed(str(n))
    assert len(attempts._failed) == 100


def test_signing_out_ends_the_session_and_not_only_the_cookie(closed: FastAPI) -> None:
    client = signed_in(closed)
    kept = client.cookies["databits-8765"]
    left = client.post("/sign-out", headers={"Origin": ORIGIN})
    assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
    assert "databits-8765" not in client.cookies
    old = outsider(closed).get("/ui/config", headers={"Cookie": f"databits-8765={kept}"})
    assert old.status_code == 401


def test_signing_in_again_ends_the_session_before(closed: FastAPI) -> None:
    client = signed_in(closed)
    first = client.cookies["databits-8765"]
    assert enter(client, "carl", PASSWORD).status_code == 303
    assert client.cookies["databits-8765"] != first
    old = outsider(closed).get("/ui/config", headers={"Cookie": f"databits-8765={first}"})
    assert old.status_code == 401


def test_two_people_at_once_act_each_in_their_own_name(queued: Desk) -> None:
    workbench = queued.workbench
    app = build_app(workbench.settings, workbench)
    add_account(workbench, "bea", "reviewer")
    add_account(workbench, "carl", "labeler")
    bea, carl = signed_in(app, "bea"), signed_in(app, "carl")
    for n in range(1, 5):
        assert "change" in decide(bea if n % 2 else carl, n, "billing").json()
    made = {c.id: c.actor for c in queued("list_changes", operation="correct_labels").rows}
    assert sorted(made.values()) == ["bea", "bea", "carl", "carl"]
    states = [queued("get_item", item=n).state for n in range(1, 5)]
    assert states == ["approved", "labeled", "approved", "labeled"], "each with their own role"


def test_the_role_is_the_one_they_have_now(queued: Desk) -> None:
    workbench = queued.workbench
    app = build_app(workbench.settings, workbench)
    add_account(workbench, "bea", "reviewer")
    bea = signed_in(app)
    assert "change" in decide(bea, 1, "billing").json()
    run(workbench, "grant_role", person="bea", role="viewer")
    assert "needs the role" in decide(bea, 2, "billing").json()["error"]


@pytest.mark.parametrize("peer", ["10.1.2.3", "203.0.113.9"])
def test_a_header_names_somebody_only_when_the_trusted_proxy_sends_it(
    queued: Desk, peer: str
) -> None:
    workbench = queued.workbench
    chosen = {"identity_header": "X-Forwarded-Email", "trusted_proxy": ["10.0.0.0/8"]}
    workbench.settings = Settings(**{**workbench.settings.model_dump(), **chosen})
    app = build_app(workbench.settings, workbench)
    run(workbench, "add_person", person="dora@bits.example", role="reviewer")
    headers = {"X-Forwarded-Email": "Dora@bits.example"}
    client = TestClient(app, base_url=ORIGIN, client=(peer, 1), headers=headers)
    trusted = peer.startswith("10.")
    assert client.get("/ui/config").status_code == (200 if trusted else 401)
    assert client.get("/api/2.0/serving-endpoints").status_code == (200 if trusted else 401)
    if trusted:
        assert "change" in decide(client, 1, "billing").json()
        [change] = queued("list_changes", operation="correct_labels").rows
        assert change.actor == "dora@bits.example"
        twice = [("X-Forwarded-Email", "dora@bits.example"), ("X-Forwarded-Email", "ana")]
        bare = TestClient(app, base_url=ORIGIN, client=(peer, 1))
        assert bare.get("/ui/config", headers=twice).status_code == 401
        assert bare.get("/ui/config").status_code == 401


def test_a_platforms_person_without_a_grant_only_looks(queued: Desk) -> None:
    workbench = queued.workbench
    chosen = {"identity_header": "X-Forwarded-Email", "trusted_proxy": ["10.0.0.1"]}
    workbench.settings = Settings(**{**workbench.settings.model_dump(), **chosen})
    app = build_app(workbench.settings, workbench)
    for name in ("new@bits.example", "ana"):  # ana is this machine's user, who is an admin here
        client = TestClient(
            app, base_url=ORIGIN, client=("10.0.0.1", 1), headers={"X-Forwarded-Email": name}
        )
        assert "you are viewer" in decide(client, 1, "billing").json()["error"]
    add_account(workbench, "eve@bits.example")
    disable(workbench, "eve@bits.example")
    client = TestClient(
        app,
        base_url=ORIGIN,
        client=("10.0.0.1", 1),
        headers={"X-Forwarded-Email": "eve@bits.example"},
    )
    assert client.get("/ui/config").status_code == 403


def test_behind_a_proxy_attempts_count_for_the_address_it_names(workbench: Embedded) -> None:
    settings = Settings(**{**workbench.settings.model_dump(), "trusted_proxy": ["127.0.0.1"]})
    add_account(workbench, "bea")
    app = build_app(settings, workbench)
    for n in range(FAILURES):
        # What the client has written before the proxy's own entry makes no difference.
        hops = {"X-Forwarded-For": f"10.0.0.{n}, 203.0.113.9"}
        assert enter(outsider(app), f"name-{n}", "wrong", headers=hops).status_code == 401
    blocked = enter(outsider(app), "bea", PASSWORD, headers={"X-Forwarded-For": "203.0.113.9"})
    assert blocked.status_code == 429
    free = enter(outsider(app), "bea", PASSWORD, headers={"X-Forwarded-For": "203.0.113.10"})
    assert free.status_code == 303
