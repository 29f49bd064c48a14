"""One process: who may reach it, and what it says when something is wrong."""

import asyncio
import socket
from pathlib import Path
from unittest.mock import patch

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.testclient import TestClient

from agent.events import Said
from databits.actor import Actor
from databits.errors import Conflict, Invalid, Unavailable
from databits.platforms.embedded import Embedded
from databits.remote import Remote, Server, serving
from databits.settings import Settings
from tests.conftest import Desk
from tests.ui.conftest import ORIGIN, Served
from ui.app import _listen, build_app, serve
from ui.chat import Chat


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


ANA = Actor("ana", "admin", "command", person=True)


def test_health_names_the_version(client: TestClient) -> None:
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/health").json()["version"]


def test_the_root_leads_to_the_page(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.url.path == "/ui/"
    assert "Databits Workbench" in answer.text


def test_a_page_of_another_site_can_change_nothing(client: TestClient) -> None:
    for path in (
        "/ui/gradio_api/component_server",
        "/local/run",
        "/mcp",
        "/serving-endpoints/x/invocations",
    ):
        for origin in ("https://evil.example", "http://127.0.0.1:9999", "null"):
            answer = client.post(
                path, content="{}", headers={"Origin": origin, "Content-Type": "text/plain"}
            )
            assert answer.status_code == 403, (path, origin)
        fetched = client.post(path, content="{}", headers={"Sec-Fetch-Site": "cross-site"})
        assert fetched.status_code == 403, path


def test_the_page_itself_may(client: TestClient) -> None:
    headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    answer = client.post(
        "/serving-endpoints/x/invocations", json={"inputs": ["a"]}, headers=headers
    )
    assert answer.status_code == 404


def test_a_foreign_name_pointed_at_this_machine_is_refused(client: TestClient) -> None:
    for path in ("/health", "/ui/", "/api/2.0/serving-endpoints"):
        answer = client.get(path, headers={"Host": "rebound.example:8765"})
        assert answer.status_code == 403, path


def test_own_names_are_answered(client: TestClient) -> None:
    for host in ("localhost:8765", "127.0.0.1:8765", "[::1]:8765"):
        assert client.get("/health", headers={"Host": host}).status_code == 200


def test_every_answer_forbids_the_browser_to_go_elsewhere(client: TestClient) -> None:
    policy = client.get("/ui/").headers["content-security-policy"]
    assert "img-src 'self' data: blob:" in policy
    assert "connect-src 'self'" in policy
    assert (
        client.post("/mcp", json={})
        .headers["content-security-policy"]
        .startswith("default-src 'none'")
    )


def test_a_host_that_is_no_address_is_refused(client: TestClient) -> None:
    for host in ("[", "[::1", "a]b", ""):
        for path in ("/health", "/mcp"):
            assert client.post(path, headers={"Host": host}).status_code == 403, (path, host)


def test_what_crashes_is_told_without_its_text(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    @app.get("/crashes")
    def crash() -> None:
        raise RuntimeError("secret inside")

    async def fail(*_: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr("mcp_server.limits.Limited.__call__", fail)
    client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)
    for answer in (client.get("/crashes"), client.post("/mcp", json={})):
        assert answer.status_code == 500
        assert answer.json()["error_code"] == "INTERNAL_ERROR"
        assert "secret" not in answer.text


def test_nobody_can_say_who_they_are_by_a_header(app: FastAPI) -> None:
    seen: list[str] = []

    @app.get("/seen")
    def look(request: Request) -> None:
        seen.extend(request.headers)

    TestClient(app, base_url=ORIGIN).get("/seen", headers={"X-Forwarded-Email": "boss@example.com"})
    assert "host" in seen
    assert "x-forwarded-email" not in seen


def test_there_are_no_api_docs_that_load_from_elsewhere(client: TestClient) -> None:
    assert client.get("/docs").status_code == 404
    assert client.get("/openapi.json").status_code == 404


def test_commands_of_this_user_get_in_with_the_secret_only(app: FastAPI, queued: Desk) -> None:
    app.state.server = Server("127.0.0.1", 8765, "the-secret", 1)
    client = TestClient(app, base_url=ORIGIN, client=("127.0.0.1", 50_000))
    body = {"name": "list_databits", "arguments": {}, "actor": None}
    assert client.post("/local/run", json=body).status_code == 401
    wrong = client.post("/local/run", json=body, headers={"Authorization": "Bearer the-secre"})
    assert wrong.status_code == 401
    right = {"Authorization": "Bearer the-secret"}
    assert client.post("/local/run", json=body, headers=right).status_code == 400
    actor = {"name": "ana", "role": "viewer", "surface": "command", "person": True, "client": ""}
    found = client.post("/local/run", json={**body, "actor": actor}, headers=right).json()
    assert found["data"]["rows"][0]["name"] == "support"
    unknown = client.post("/local/dance", json={**body, "actor": actor}, headers=right).json()
    assert unknown["error"]["phrase"] == "Invalid"


def test_an_address_that_others_can_reach_is_refused_while_nobody_could_sign_in(
    workbench: Embedded,
) -> None:
    for host in ("0.0.0.0", "::"):
        with pytest.raises(Invalid, match="databits person add"):
            serve(
                Settings(home=workbench.settings.home, host=host, port=free_port()),
                workbench=workbench,
            )


def test_a_platform_that_signs_people_in_is_believed_from_its_proxy_only(
    workbench: Embedded,
) -> None:
    home = workbench.settings.home
    headed = Settings(home=home, identity_header="X-Forwarded-Email", port=free_port())
    with pytest.raises(Invalid, match="DATABITS_TRUSTED_PROXY"):
        serve(headed, workbench=workbench)


def test_the_very_address_a_request_came_to_is_an_own_name_and_others_are_not(
    workbench: Embedded,
) -> None:
    client = TestClient(
        build_app(workbench.settings, workbench), base_url="http://192.168.1.5:8765"
    )
    assert client.get("/health").status_code == 200
    assert client.get("/health", headers={"Host": "192.168.1.6:8765"}).status_code == 403
    named = Settings(**{**workbench.settings.model_dump(), "hosts": ["Bits.example"]})
    client = TestClient(build_app(named, workbench), base_url="https://bits.example")
    assert client.get("/health").status_code == 200


def test_a_taken_port_is_said_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=f"--port {port + 1}"):
            serve(Settings(home=tmp_path, port=port))


def test_a_workspace_is_served_once(tmp_path: Path) -> None:
    server = Server("127.0.0.1", 4711, "t", 42)
    with (
        patch("ui.app.remote.serving", return_value=server),
        pytest.raises(Conflict, match=r"http://127\.0\.0\.1:4711/ui/"),
    ):
        serve(Settings(home=tmp_path))


@pytest.mark.slow
@pytest.mark.anyio
async def test_turns_end_while_the_assistant_still_has_its_memory(
    workbench: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who stops the server in the middle of an answer finds a stack trace in the terminal."""
    remembered: list[list[Said]] = []

    class Ending(Chat):
        async def close(self) -> None:
            assistant = await self._standby.assistant()
            remembered.append(await assistant.history("any"))
            await super().close()

    monkeypatch.setattr("ui.app.Chat", Ending)
    app = build_app(workbench.settings, workbench)
    async with app.router.lifespan_context(app):
        pass
    assert remembered == [[]]


@pytest.mark.slow
def test_commands_find_the_server_and_it_goes_without_a_trace(workbench: Embedded) -> None:
    home = workbench.settings.home
    with Served(workbench):
        found = serving(home)
        assert found is not None
        listed = Remote(found).run("list_databits", {}, ANA)
        assert listed.model_dump()["total"] == 0
    assert serving(home) is None
    assert not (home / "server.json").exists()


def test_mcp_answers_to_the_names_in_the_settings_and_to_pages_of_its_own_only(
    workbench: Embedded,
) -> None:
    settings = workbench.settings.model_copy(update={"hosts": ["bits.example"]})
    named = TestClient(build_app(settings, workbench), base_url="http://bits.example")
    where = "/.well-known/oauth-protected-resource/mcp"
    assert named.get(where).json()["resource"] == "http://bits.example/mcp"
    foreign = TestClient(build_app(settings, workbench), base_url="http://evil.example")
    for headers in ({}, {"Origin": "http://bits.example"}):
        assert foreign.post("/mcp", json={}, headers=headers).status_code == 403
        assert foreign.get(where, headers=headers).status_code == 403
    for origin in ("http://evil.example", "null", "http://bits.example.evil.example"):
        assert named.post("/mcp", json={}, headers={"Origin": origin}).status_code == 403


def test_answers_leave_at_once() -> None:
    """Without TCP_NODELAY the second half of an answer waits 40 ms for the first to be acknowledged."""
    at_once: list[int] = []

    async def connect() -> None:
        def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            at_once.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listening = _listen(Settings(port=free_port()))
        async with await asyncio.start_server(look, sock=listening) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            await reader.read()
            writer.close()

    asyncio.run(connect())
    assert at_once == [1]
