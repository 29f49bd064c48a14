"""The app in process, over the real store; and for browser tests, served on a port of its own."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from databits.platforms.embedded import Embedded
from databits.platforms.embedded.jobs import work
from databits.settings import Settings
from tests import needs
from ui.app import build_app

ORIGIN = "http://127.0.0.1:8765"
PATIENCE_MS = 120_000
"""For what must come in a browser: on a slow machine the planner alone warms up for half a minute."""


@pytest.fixture
def app(workbench: Embedded) -> FastAPI:
    return build_app(workbench.settings, workbench)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Requests without the server's life around them: no assistant is started."""
    return TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)


class Served:
    """A server of this process, and the worker that a process of its own would be."""

    def __init__(self, workbench: Embedded) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = Settings(**{**workbench.settings.model_dump(), "port": port})
        self.url = f"http://127.0.0.1:{port}"
        self._stop = threading.Event()
        self._workbench = workbench
        config = uvicorn.Config(
            build_app(settings, workbench),
            port=port,
            log_level="error",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._threads = [
            threading.Thread(target=self._server.run),
            threading.Thread(target=self._work),
        ]

    def __enter__(self) -> "Served":
        for thread in self._threads:
            thread.start()
        until = time.monotonic() + 120
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.05)
        assert self._server.started, "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.should_exit = True
        for thread in self._threads:
            thread.join(timeout=120)

    def _work(self) -> None:
        while not self._stop.is_set():
            work(self._workbench, idle_seconds=0.2, stop=self._stop)


@pytest.fixture
def served(workbench: Embedded) -> Iterator[Served]:
    with Served(workbench) as running:
        yield running


ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; without one the tests are skipped, but never in CI.

    One a module: its driver has an event loop, beside which asynchronous tests can not run.
    """
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(
                executable_path=needs.chromium(), args=list(ARGS), timeout=PATIENCE_MS
            )
        except Error as error:
            reason = "No Chromium. Install one with `apt install chromium` or `playwright install chromium`."
            if os.environ.get("CI"):
                pytest.fail(f"{reason} {error}")
            pytest.skip(reason)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """The page, open on the chat; it must ask nobody but its own server, and log no error."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    foreign: list[str] = []
    problems: list[str] = []

    def look(request: Any) -> None:
        if not request.url.startswith((served.url, "data:", "blob:")):
            foreign.append(request.url)

    opened.on("request", look)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(f"{served.url}/ui/")
    opened.wait_for_selector("#box textarea")
    yield opened
    context.close()
    assert not foreign, f"requests left the machine: {foreign}"
    assert not problems, f"scripts of the page failed: {problems}"
