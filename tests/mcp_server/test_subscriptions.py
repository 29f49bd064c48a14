"""Being told of changes, whoever made them, as long as one listens and may read them."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ToolsListChanged
from starlette.applications import Starlette

from databits.actor import Actor
from databits.errors import NotAllowed, Unavailable
from databits.platforms.embedded import Embedded
from databits.workbench import Workbench
from mcp_server.additions import Addition
from mcp_server.auth import local_actor
from mcp_server.http import http_app
from mcp_server.watching import MOST, Known, Watch, Watcher, watching
from tests.mcp_server.conftest import Connect, Grow
from tests.mcp_server.test_http import HOME, served

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]
LIST = "the list"
PATIENCE_S = 120


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("waits.PACE_S", "sessions.PACE_S", "sessions.LIST_PACE_S"):
        monkeypatch.setattr(f"mcp_server.{name}", 0.01)
    monkeypatch.setattr("mcp_server.watching.SHARE", 0.1)


@pytest.fixture
def watchers(monkeypatch: pytest.MonkeyPatch) -> list[Watcher]:
    """The watchers of the servers that a test starts."""
    found: list[Watcher] = []

    @asynccontextmanager
    async def noted(runner: Any) -> AsyncIterator[Watcher]:
        async with watching(runner) as watcher:
            found.append(watcher)
            yield watcher

    monkeypatch.setattr("mcp_server.server.watching", noted)
    return found


@pytest.fixture
def pulses(workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the server was told when it asked whether anything is new."""
    felt: list[str] = []
    feel = workbench.pulse

    def pulse() -> str:
        felt.append(feel())
        return felt[-1]

    monkeypatch.setattr(workbench, "pulse", pulse)
    return felt


class Ear:
    """What one client hears, whatever it speaks."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.follows_stream = False
        """Then the same is in the messages as well."""
        self._something = anyio.Event()

    def hear(self, what: str) -> None:
        self.heard.append(what)
        self._something.set()
        self._something = anyio.Event()

    async def take(self) -> str:
        """The next thing it hears."""
        with anyio.fail_after(PATIENCE_S):
            while not self.heard:
                await self._something.wait()
        return self.heard.pop(0)

    async def message(self, message: Any) -> None:
        method = getattr(message, "method", "") if not self.follows_stream else ""
        if method == "notifications/resources/updated":
            self.hear(message.params.uri)
        elif method == "notifications/resources/list_changed":
            self.hear(LIST)
        elif method.endswith("/list_changed"):
            self.hear(method)


@asynccontextmanager
async def listening(client: Client, ear: Ear, *wanted: str) -> AsyncIterator[list[str]]:
    """Listen as the client's era has it; yields what was agreed to."""
    uris = [what for what in wanted if what != LIST]
    if client.protocol_version < "2026-07-28":
        refused = []
        for uri in uris:
            try:
                await client.subscribe_resource(uri)
            except MCPError as error:
                if "is the most" in error.message:
                    raise
                refused.append(uri)
        if LIST in wanted:
            await client.list_resources()
        yield [what for what in wanted if what not in refused]
        with contextlib.suppress(MCPError):  # its token may have been revoked meanwhile
            for uri in uris:
                await client.unsubscribe_resource(uri)
        return
    ear.follows_stream = True
    async with (
        client.listen(resource_subscriptions=uris, resources_list_changed=LIST in wanted) as sub,
        anyio.create_task_group() as group,
    ):

        async def follow() -> None:
            async for event in sub:
                ear.hear(getattr(event, "uri", LIST))

        group.start_soon(follow)
        agreed = list(sub.honored.resource_subscriptions or [])
        yield [*agreed, *([LIST] if sub.honored.resources_list_changed else [])]
        group.cancel_scope.cancel()


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not true():
            await anyio.sleep(0.005)


def person(workbench: Workbench) -> Actor:
    """Somebody on the page."""
    return local_actor(workbench.settings, "review").through("review", person=True)


async def do(workbench: Workbench, operation: str, /, **arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(
        lambda: workbench.run(operation, arguments, person(workbench))
    )


async def test_a_client_hears_of_changes_made_elsewhere_and_of_no_others(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(2)
    await do(workbench, "create_databit", name="other", labels=["a", "b"])
    ear = Ear()
    async with connect(era, message_handler=ear.message) as client:
        wanted = ["queue://support", "item://1", "databit://other"]
        async with listening(client, ear, *wanted) as agreed:
            assert agreed == wanted
            await do(workbench, "correct_labels", databit="support", items=[2], label="bug")
            assert await ear.take() == "queue://support"
            await do(workbench, "correct_labels", databit="support", items=[1], label="bug")
            assert {await ear.take(), await ear.take()} == {"queue://support", "item://1"}
        assert ear.heard == []


async def test_what_another_connection_to_the_database_writes_is_heard_too(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(1)
    elsewhere = Embedded(workbench.settings)
    ear = Ear()
    try:
        async with (
            connect(era, message_handler=ear.message) as client,
            listening(client, ear, "item://1"),
        ):
            await do(elsewhere, "skip_items", databit="support", items=[1])
            assert await ear.take() == "item://1"
    finally:
        elsewhere.database.close()


async def test_a_run_is_followed_step_by_step_to_its_end(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(1)
    run = await do(workbench, "prelabel_items", databit="support")
    uri, ear = f"run://{run.id}", Ear()

    def say(**values: Any) -> None:
        workbench.database.write(lambda store: store.runs.set(run.id, **values))

    async with connect(era, message_handler=ear.message) as client, listening(client, ear, uri):
        for step in (
            {"state": "running", "message": "reading"},
            {"progress": 0.5},
            {"state": "succeeded", "progress": 1.0, "finished_at": 1},
        ):
            await anyio.to_thread.run_sync(lambda step=step: say(**step))
            assert await ear.take() == uri


async def test_the_list_is_told_of_when_there_is_another_thing_on_it(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(1)
    ear = Ear()
    async with (
        connect(era, message_handler=ear.message) as client,
        listening(client, ear, LIST) as agreed,
    ):
        assert agreed == [LIST]
        await do(workbench, "skip_items", databit="support", items=[1])
        await do(workbench, "create_databit", name="other", labels=["a", "b"])
        assert await ear.take() == LIST
        await do(workbench, "prelabel_items", databit="support")
        assert await ear.take() == LIST


async def test_what_is_undone_is_told_of_as_gone(
    workbench: Workbench, connect: Connect, era: str
) -> None:
    made = await do(workbench, "create_databit", name="other", labels=["a", "b"])
    ear = Ear()
    async with (
        connect(era, message_handler=ear.message) as client,
        listening(client, ear, "databit://other"),
    ):
        await do(workbench, "undo_change", change=made.change_id)
        assert await ear.take() == "databit://other"


async def test_nothing_is_looked_at_unless_somebody_listens_and_nothing_stays_behind(
    workbench: Workbench,
    connect: Connect,
    grow: Grow,
    era: str,
    watchers: list[Watcher],
    pulses: list[str],
) -> None:
    grow(1)
    ear = Ear()
    async with connect(era, message_handler=ear.message) as client:
        await client.read_resource("item://1")
        assert pulses == []
        for _ in range(3):
            async with listening(client, ear, "item://1", "queue://support"):
                (watcher,) = watchers
                assert not watcher.idle
                await until(lambda: len(pulses) > 2)
            await until(lambda: watchers[0].idle)
        felt = len(pulses)
        await anyio.sleep(0.05)
        assert len(pulses) == felt


async def test_it_ends_with_a_client_that_goes_without_a_word(
    connect: Connect, grow: Grow, watchers: list[Watcher]
) -> None:
    grow(1)
    async with connect("legacy") as client:
        await client.subscribe_resource("item://1")
        (watcher,) = watchers
        assert not watcher.idle
    await until(lambda: watcher.idle)


async def test_who_may_not_read_it_is_not_told(
    workbench: Workbench, connect: Connect, grow: Grow, watchers: list[Watcher]
) -> None:
    grow(1)
    workbench.settings = workbench.settings.model_copy(update={"role": "viewer", "user": "vi"})
    async with connect("legacy") as client:
        for uri, said in (("item://1", "labeler"), ("item://9", "labeler"), ("run://9", "no run")):
            with pytest.raises(MCPError, match=said):
                await client.subscribe_resource(uri)
    async with connect() as client, listening(client, Ear(), "item://1", "run://9", "x://1") as ok:
        assert ok == []


async def test_a_role_that_is_taken_away_ends_it(
    workbench: Workbench, connect: Connect, grow: Grow, era: str, watchers: list[Watcher]
) -> None:
    grow(1)
    admin = person(workbench).through("command", person=True)
    workbench.run("add_person", {"person": "ana", "role": "admin"}, admin)
    workbench.run("add_person", {"person": "ro", "role": "labeler"}, admin)
    workbench.settings = workbench.settings.model_copy(update={"user": "ro"})
    ear = Ear()
    async with (
        connect(era, message_handler=ear.message) as client,
        listening(client, ear, "item://1", "queue://support"),
    ):
        workbench.run("grant_role", {"person": "ro", "role": "viewer"}, admin)
        workbench.run("skip_items", {"databit": "support", "items": [1]}, admin)
        assert await ear.take() == "queue://support"
        await until(lambda: len(watchers[0]._watches) == 1)
        assert ear.heard == []


async def test_a_caller_waits_for_so_much_and_no_more(
    workbench: Workbench, connect: Connect, grow: Grow, era: str, watchers: list[Watcher]
) -> None:
    grow(MOST + 1)
    uris = [f"item://{n}" for n in range(1, MOST + 1)]
    ear = Ear()
    async with connect(era) as client:
        async with listening(client, ear, *uris):
            with pytest.raises(MCPError, match="is the most"):
                async with listening(client, ear, "queue://support"):
                    pass
        async with listening(client, ear, "queue://support") as agreed:
            assert agreed == ["queue://support"]


async def test_what_another_package_adds_is_told_of_when_it_says_so(
    connect: Connect, era: str
) -> None:
    def extend(server: MCPServer[Any]) -> None:
        @server.resource("test://thermometer")
        def thermometer() -> str:
            """How warm it is."""
            return "20"

        @server.tool()
        async def warm(ctx: Context[Any, Any]) -> str:
            """Make it warmer."""
            await ctx.notify_resource_updated("test://thermometer")
            await ctx.notify_tools_changed()
            return "done"

    ear, addition = Ear(), Addition(extend=extend)
    async with connect(era, message_handler=ear.message, addition=addition) as client:
        async with listening(client, ear, "test://thermometer", "test://barometer") as agreed:
            assert agreed == ["test://thermometer"]
            await client.call_tool("warm")
            assert await ear.take() == "test://thermometer"
        if era != "legacy":
            async with client.listen(tools_list_changed=True) as stream:
                assert stream.honored.tools_list_changed
                await client.call_tool("warm")
                with anyio.fail_after(PATIENCE_S):
                    assert await anext(aiter(stream)) == ToolsListChanged()


async def test_capabilities_claim_what_is_told_of(workbench: Workbench, connect: Connect) -> None:
    for era in ("legacy", "auto"):
        async with connect(era) as client:
            said = client.server_capabilities
        assert said.resources is not None
        assert (said.resources.subscribe, said.resources.list_changed) == (True, True)
        assert said.tools is not None
        assert said.prompts is not None
        assert not said.tools.list_changed
        assert not said.prompts.list_changed


async def test_without_sessions_older_clients_are_told_that_nobody_could_tell_them(
    workbench: Workbench, grow: Grow
) -> None:
    grow(1)
    async with served(workbench, stateless=True) as http:
        transport = streamable_http_client(f"{HOME}/mcp", http_client=http)
        async with Client(transport, mode="legacy") as client:
            said = client.server_capabilities
            assert said.resources is not None
            assert not said.resources.subscribe
            assert await client.list_resources()
            with pytest.raises(MCPError, match="keeps no sessions"):
                await client.subscribe_resource("item://1")


async def test_one_that_does_not_read_does_not_keep_others_waiting(
    workbench: Workbench, grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.watching.TELL_WITHIN_S", 0.05)
    told: list[str] = []

    def look(_: Known) -> str:
        return workbench.pulse()

    async def hang() -> None:
        told.append("hangs")
        await anyio.sleep_forever()

    async def tell() -> None:
        told.append("reads")

    async with watching(workbench) as watcher:
        watches = [Watch(look, hang, 0.01), Watch(look, tell, 0.01)]
        for watch in watches:
            await watcher.first_look(watch)
        watcher.add("ana", watches)
        for change in range(3):
            grow(1) if not change else await do(
                workbench, "create_databit", name=f"d{change}", labels=["a", "b"]
            )
            count = change + 1
            await until(lambda count=count: told.count("reads") >= count)
        assert told.count("hangs") == 1


async def test_one_that_can_not_be_told_does_not_end_the_watch_of_the_others(
    workbench: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    async def broken() -> None:
        raise RuntimeError("the line is broken")

    async def tell() -> None:
        told.append("told")

    async with watching(workbench) as watcher:
        new = [Watch(lambda _: "after", each, 0.01, seen="before") for each in (broken, tell)]
        watcher.add("ana", new)
        watcher.soon(broken)
        await until(lambda: told == ["told"])
        watcher.add("bob", [Watch(lambda _: "after", tell, 0.01, seen="before")])
        await until(lambda: told == ["told", "told"])
    assert [r.message for r in caplog.records] == ["a client could not be told of a change"] * 2


async def test_what_fails_while_looking_is_looked_at_again_and_logged_once(
    workbench: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    fails = [RuntimeError("broken"), RuntimeError("broken"), Unavailable("busy")]
    told: list[str] = []

    def look(_: Known) -> str:
        if fails:
            raise fails.pop(0)
        return "after"

    async def tell() -> None:
        told.append("told")

    async with watching(workbench) as watcher:
        watcher.add("ana", [Watch(look, tell, 0.01, seen="before")])
        await until(lambda: told == ["told"])
    assert [r.message for r in caplog.records] == ["looking for changes failed"]


# a real server ----------------------------------------------------------------------------


@asynccontextmanager
async def on_a_port(workbench: Workbench, **options: Any) -> AsyncIterator[str]:
    """The server on a port that the system chose; streams are streams there."""
    _, routes, lifespan = http_app(workbench, workbench.settings, **options)
    config = uvicorn.Config(Starlette(routes=list(routes)), port=0, log_level="error")
    server = uvicorn.Server(config)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(lifespan())
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(server.serve)
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
        server.should_exit = True


@pytest.mark.parametrize(
    ("era", "stateless"),  # a legacy client of a stateless server can not be told
    [("legacy", False), ("2026-07-28", False), ("2026-07-28", True)],
)
async def test_over_http_a_token_that_is_revoked_hears_no_more(
    workbench: Workbench, grow: Grow, watchers: list[Watcher], era: str, stateless: bool
) -> None:
    grow(2)
    admin = person(workbench).through("command", person=True)
    made: Any = workbench.run("create_token", {"name": "ci", "role": "labeler"}, admin)
    ear = Ear()
    async with on_a_port(workbench, stateless=stateless) as url:
        headers = {"authorization": f"Bearer {made.secret}"}
        async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
            transport = streamable_http_client(url, http_client=http)
            async with (
                Client(transport, mode=era, message_handler=ear.message) as client,
                listening(client, ear, "item://1"),
            ):
                await do(workbench, "skip_items", databit="support", items=[1])
                assert await ear.take() == "item://1"
                await anyio.to_thread.run_sync(
                    lambda: workbench.run("revoke_token", {"token": made.token}, admin)
                )
                await do(workbench, "correct_labels", databit="support", items=[1], label="bug")
                await until(lambda: not watchers[0]._watches)
                assert ear.heard == []
                with pytest.raises((MCPError, httpx2.HTTPError, NotAllowed)):
                    await client.read_resource("item://1")


async def test_over_http_a_grant_changes_the_lists_of_tools_and_prompts(
    workbench: Workbench, grow: Grow, era: str
) -> None:
    grow(1)
    admin = person(workbench).through("command", person=True)
    workbench.run("add_person", {"person": "ana", "role": "admin"}, admin)
    workbench.run("add_person", {"person": "lu", "role": "viewer"}, admin)
    asked = {"name": "ci", "role": "reviewer", "person": "lu"}
    made: Any = workbench.run("create_token", asked, admin)
    heard: list[str] = []

    async def hear(message: Any) -> None:
        heard.append(getattr(message, "method", ""))

    async with on_a_port(workbench) as url:
        headers = {"authorization": f"Bearer {made.secret}"}
        async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
            transport = streamable_http_client(url, http_client=http)
            how = "legacy" if era == "legacy" else "auto"
            async with Client(transport, mode=how, message_handler=hear) as client:
                said = client.server_capabilities
                assert said.tools is not None
                assert said.prompts is not None
                assert (said.tools.list_changed, said.prompts.list_changed) == (True, True)
                before = len((await client.list_prompts()).prompts)
                await client.list_tools()
                async with AsyncExitStack() as stack:
                    if era != "legacy":
                        stream = client.listen(tools_list_changed=True, prompts_list_changed=True)
                        await stack.enter_async_context(stream)
                    workbench.run("grant_role", {"person": "lu", "role": "labeler"}, admin)
                    for name in ("tools", "prompts"):
                        await until(lambda name=name: f"notifications/{name}/list_changed" in heard)
                after = await client.list_prompts(cache_mode="bypass")
                assert len(after.prompts) > before


async def test_over_http_a_client_that_hangs_up_leaves_nothing_behind(
    workbench: Workbench, grow: Grow, watchers: list[Watcher]
) -> None:
    grow(1)
    async with on_a_port(workbench) as url:
        async with Client(url, mode="2026-07-28") as client, listening(client, Ear(), "item://1"):
            assert not watchers[0].idle
        await until(lambda: watchers[0].idle)


@pytest.mark.slow
async def test_an_editor_hears_of_what_another_editors_process_did(tmp_path: Path) -> None:
    """The second process has the first one perform its calls, and asks it whether anything is new."""
    command = [sys.executable, "-c", "from ui.cli import main; main()", "mcp"]
    place = StdioServerParameters(
        command=command[0],
        args=command[1:],
        cwd=tmp_path,
        env={**os.environ, "DATABITS_HOME": str(tmp_path / "home")},
    )
    ear = Ear()
    async with Client(stdio_client(place), mode="legacy") as owner:
        await owner.call_tool("create_databit", {"name": "mail", "labels": ["a", "b"]})
        for era in ("legacy", "2026-07-28"):
            async with (
                Client(stdio_client(place), mode=era, message_handler=ear.message) as client,
                listening(client, ear, LIST) as agreed,
            ):
                assert agreed == [LIST]
                name = "post" if era == "legacy" else "web"
                await owner.call_tool("create_databit", {"name": name, "labels": ["a", "b"]})
                assert await ear.take() == LIST
