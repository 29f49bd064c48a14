"""A flood is told to slow down; a person at an editor never meets a limit; one caller's limit is theirs."""

from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from databits.settings import Settings
from databits.workbench import Workbench
from mcp_server.limits import Buckets
from tests.accounts import add_account, add_token
from tests.mcp_server.test_callers import HELLO, bearer
from tests.mcp_server.test_http import ACCEPTS, HOME, PING, served

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def limit(workbench: Workbench, **limits: Any) -> None:
    workbench.settings = workbench.settings.model_copy(update=limits)


def test_a_third_of_a_minute_at_once_and_then_as_they_drip_in() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    assert [buckets.wait("bea") for _ in range(20)] == [0.0] * 20
    assert buckets.wait("bea") == pytest.approx(1.0)
    assert buckets.wait("carl") == 0.0, "another's bucket is full"
    clock.now = 0.5
    assert buckets.wait("bea") == pytest.approx(0.5), "asking in vain costs nothing"
    clock.now = 1.0
    assert (buckets.wait("bea"), buckets.wait("bea") > 0) == (0.0, True)
    clock.now = 10_000
    assert sum(buckets.wait("bea") == 0.0 for _ in range(100)) == 20, "no more than it holds"


def test_without_a_limit_there_is_none() -> None:
    buckets = Buckets(0, Clock())
    assert not any(buckets.wait("bea") for _ in range(10_000))


def test_those_who_are_remembered_are_bounded() -> None:
    buckets = Buckets(6, Clock())
    for n in range(20_000):
        buckets.wait(f"person-{n}")
    assert len(buckets._left) <= 10_000


def test_by_default_an_editor_is_far_from_any_limit() -> None:
    settings, clock = Settings(), Clock()
    buckets = Buckets(settings.requests_per_minute, clock)
    for _ in range(600):  # twenty calls in every second of half a minute
        assert buckets.wait("bea") == 0.0
        clock.now += 0.05
    assert settings.calls_at_once >= 32
    assert settings.sessions_each >= 50


async def test_a_flood_is_429_with_when_to_come_again_and_others_are_served(
    workbench: Workbench,
) -> None:
    add_account(workbench, "bea", "admin")
    add_account(workbench, "carl", "admin")
    limit(workbench, requests_per_minute=15)
    bea, again, carl = (add_token(workbench, name) for name in ("bea", "bea", "carl"))
    async with served(workbench, stateless=True) as http:
        answers = [
            await http.post("/mcp", json=PING, headers=ACCEPTS | bearer(bea)) for _ in range(7)
        ]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 4
        assert "DATABITS_REQUESTS_PER_MINUTE" in answers[-1].json()["message"]
        other = await http.post("/mcp", json=PING, headers=ACCEPTS | bearer(again))
        assert other.status_code == 429, "another token of hers is she"
        other = await http.post("/mcp", json=PING, headers=ACCEPTS | bearer(carl))
        assert other.status_code == 200


async def test_where_nobody_signs_in_this_machines_user_is_not_counted(
    workbench: Workbench,
) -> None:
    limit(workbench, requests_per_minute=3)
    async with served(workbench, stateless=True) as http:
        for _ in range(10):
            assert (await http.post("/mcp", json=PING, headers=ACCEPTS)).status_code == 200


async def test_sessions_are_bounded_each_and_a_closed_one_makes_room(workbench: Workbench) -> None:
    add_account(workbench, "bea", "admin")
    add_account(workbench, "carl", "admin")
    limit(workbench, sessions_each=2)
    bea, carl = bearer(add_token(workbench, "bea")), bearer(add_token(workbench, "carl"))
    async with served(workbench) as http:
        first = await http.post("/mcp", json=HELLO, headers=ACCEPTS | bea)
        second = await http.post("/mcp", json=HELLO, headers=ACCEPTS | bea)
        assert (first.status_code, second.status_code) == (200, 200)
        third = await http.post("/mcp", json=HELLO, headers=ACCEPTS | bea)
        assert third.status_code == 429
        assert "2 sessions of yours are open" in third.json()["message"]
        assert (await http.post("/mcp", json=HELLO, headers=ACCEPTS | carl)).status_code == 200
        inside = {"mcp-session-id": first.headers["mcp-session-id"]}
        assert (
            await http.post("/mcp", json=PING, headers=ACCEPTS | bea | inside)
        ).status_code == 200
        assert (await http.delete("/mcp", headers=ACCEPTS | bea | inside)).status_code == 200
        assert (await http.post("/mcp", json=HELLO, headers=ACCEPTS | bea)).status_code == 200


@pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
async def test_more_calls_at_once_than_allowed_are_told_to_wait(
    workbench: Workbench, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(workbench, calls_at_once=2)
    run, go_on = workbench.run, anyio.Event()
    waiting = 0

    def slow(name: str, *rest: Any, **options: Any) -> Any:
        nonlocal waiting
        waiting += 1
        anyio.from_thread.run(go_on.wait)
        return run(name, *rest, **options)

    monkeypatch.setattr(workbench, "run", slow)
    found: list[Any] = []
    async with served(workbench) as http:
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        async with Client(transport, mode=era) as client, anyio.create_task_group() as group:

            async def call() -> None:
                found.append(await client.call_tool("list_databits", {}))

            for _ in range(2):
                group.start_soon(call)
            with anyio.fail_after(120):
                while waiting < 2:
                    await anyio.sleep(0.01)
                await call()
            assert found[0].is_error
            assert found[0].content[0].text.startswith("Over quota: 2 calls of yours are under way")
            go_on.set()
        assert [one.is_error for one in found[1:]] == [False, False]
