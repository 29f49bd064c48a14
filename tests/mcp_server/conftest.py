"""The real server over the real store, and clients of both protocol eras in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.types import ElicitRequestFormParams, ElicitResult, Implementation

from databits.operation import load_catalogue
from databits.platforms.embedded import Embedded
from databits.settings import Settings
from databits.workbench import Workbench
from mcp_server.auth import identify_local, local_actor
from mcp_server.server import build_server
from tests.mcp_server.tasks_client import prepare
from tests.sign_in_server import RSA, SigningKey, SignInServer, trust

Answer = Callable[[ElicitRequestFormParams], ElicitResult]
Connect = Callable[..., AbstractAsyncContextManager[Client]]
Grow = Callable[[int], None]


class Idle:
    """`Jobs` that leave a run in the queue."""

    def submit(self, run_id: int) -> None:
        pass


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["2026-07-28", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)  # away from a databits.toml
    return Settings(home=tmp_path / "home", user="ana", role="admin")


@pytest.fixture
def workbench(settings: Settings) -> Iterator[Workbench]:
    load_catalogue()
    workbench = Embedded(settings)
    workbench.__dict__["jobs"] = Idle()
    yield workbench
    workbench.database.close()


@pytest.fixture
def grow(workbench: Workbench, tmp_path: Path) -> Grow:
    """Queue so many more undecided items in the Databit `support`."""
    me = local_actor(workbench.settings, "test")
    workbench.run("create_databit", {"name": "support", "labels": ["billing", "bug"]}, me)
    written = 0

    def more(count: int) -> None:
        nonlocal written
        file = tmp_path / f"tickets-{written}.csv"
        rows = [f"ticket {n}" for n in range(written, written + count)]
        file.write_text("\n".join(["text", *rows]), encoding="utf-8")
        written += count
        workbench.run("import_files", {"path": str(file)}, me)
        workbench.run("queue_items", {"databit": "support"}, me)

    return more


@pytest.fixture
def connect(workbench: Workbench) -> Connect:
    """A connected client; without an `answer` it can not be asked anything."""

    @asynccontextmanager
    async def connected(
        era: str = "2026-07-28",
        answer: Answer | None = None,
        name: str = "mcp",
        extensions: Sequence[ClientExtension] = (),
        message_handler: Any = None,
        **options: Any,
    ) -> AsyncIterator[Client]:
        async def callback(_: Any, params: ElicitRequestFormParams) -> ElicitResult:
            assert answer is not None
            return answer(params)

        server = build_server(workbench, identify_local(workbench.settings), **options)
        asked: Callable[..., Awaitable[ElicitResult]] | None = callback if answer else None
        me = Implementation(name=name, version="7")
        async with Client(
            server,
            mode=era,
            elicitation_callback=asked,
            client_info=me,
            extensions=extensions,
            message_handler=message_handler,
        ) as client:
            yield client

    return connected


@pytest.fixture
def labelled(workbench: Workbench, settings: Settings, tmp_path: Path) -> Workbench:
    prepare(workbench, settings, tmp_path)
    return workbench


@pytest.fixture(scope="module")
def sign_in_server() -> Iterator[SignInServer]:
    with SignInServer() as server:
        yield server


@pytest.fixture
def theirs(sign_in_server: SignInServer) -> SignInServer:
    """The sign-in server, with nothing left of other tests."""
    sign_in_server.keys = [RSA, SigningKey.new("first")]
    sign_in_server.answers, sign_in_server.person = True, "lena"
    sign_in_server.description = "oauth-authorization-server"
    sign_in_server.asked.clear()
    sign_in_server.authorized.clear()
    return sign_in_server


@pytest.fixture
def trusting(workbench: Workbench, theirs: SignInServer) -> Workbench:
    """A workbench that takes its tokens, and where lena is an engineer."""
    return trust(workbench, theirs)
