"""The servers that the conformance suite is run against: ours, with and without what the suite names.

As a script (the workspace's folder, `fixtures` or `product`) it prints its port and serves until it
is told to stop. It is a process of its own because the suite's operations must not get into the
catalogue that other tests look at.
"""

import contextlib
import socket
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from databits.operation import CATALOGUE, load_catalogue
from databits.platforms.embedded import Embedded
from databits.platforms.embedded.jobs import work
from databits.settings import Settings
from mcp_server.additions import Addition
from mcp_server.auth import local_actor
from mcp_server.http import http_app
from tests.conformance import long_work, questions, things

WORKERS = 2


class HereJobs:
    """Workers are threads of this process: one of their own would not know the suite's operations."""

    def submit(self, run_id: int) -> None:
        pass

    def wake(self) -> None:
        pass

    def rest(self) -> None:
        pass

    def close(self) -> None:
        pass


def fixtures(workbench: Embedded) -> Starlette:
    """Our `/mcp` with what the suite names added."""
    CATALOGUE.update({op.name: op for op in long_work.OPERATIONS})
    desk = long_work.Desk()
    added = Addition(
        tools=[*things.tools(), *questions.TOOLS, *long_work.tools(workbench, desk)],
        tasks=[desk],
        extend=things.extend,
    )
    _, routes, running = http_app(workbench, workbench.settings, addition=added)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with running():
            yield

    return Starlette(routes=list(routes), lifespan=lifespan)


def product(workbench: Embedded) -> Starlette:
    """All that `databits up` serves, with something in the workspace."""
    from ui.app import build_app  # takes seconds

    me = local_actor(workbench.settings, "test")
    workbench.run("create_databit", {"name": "support", "labels": ["billing", "login"]}, me)
    return build_app(workbench.settings, workbench)


def main(home: str, which: str) -> None:
    load_catalogue()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    settings = Settings(home=Path(home), user="ana", role="admin", workers=WORKERS, port=port)
    workbench = Embedded(settings)
    workbench.__dict__["jobs"] = HereJobs()
    app = {"fixtures": fixtures, "product": product}[which](workbench)
    stop = threading.Event()
    for _ in range(WORKERS):
        threading.Thread(target=work, args=[workbench], kwargs={"stop": stop}, daemon=True).start()
    print(port, flush=True)
    try:
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listening])
    finally:
        stop.set()


if __name__ == "__main__":
    main(*sys.argv[1:])
