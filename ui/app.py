"""`databits up`: one process with the page, the MCP server, the endpoints and the local API."""

import asyncio
import errno
import importlib
import logging
import os
import socket
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any, cast

# Nothing leaves this machine, not even a count of starts.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from databits import identity, remote
from databits.errors import Conflict, Invalid, Unavailable
from databits.operation import load_catalogue
from databits.owner import database_file
from databits.settings import Settings, is_loopback
from databits.workbench import Workbench, connect
from databits.workspace import make_way
from mcp_server.callers import callers_of
from mcp_server.http import PATH, HttpApp, http_app
from ui import gateway, signin
from ui.chat import Chat
from ui.door import Door
from ui.local import add_local_api
from ui.origin import LOOPBACK, NO_PAGE, SameOrigin
from ui.page import build_page, theme
from ui.pages import FOLDER, asset
from ui.proxy import Proxy
from ui.sessions import Sessions
from ui.standby import Standby
from ui.traced import traced
from ui.uploads import LIMIT

PAGE = "/ui"


def build_app(
    settings: Settings, workbench: Workbench | None = None, *, registers: bool = False
) -> FastAPI:
    """Everything one machine serves, as one ASGI app.

    Args:
        workbench: The one to serve; None opens, and closes, the one that the settings describe.
        registers: Enters the MCP server's tools in the registry, after the first call.
    """
    load_catalogue()
    served = workbench or connect(settings)
    mcp = http_app(served, settings, hosts=None, registers=registers)
    sessions = Sessions(served)
    standby = Standby(served)
    chat = Chat(served, standby)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        settings.home.mkdir(parents=True, exist_ok=True)
        app.state.server = remote.announce(_as_seen_here(settings))
        try:
            async with mcp.lifespan(), standby.running(), traced(settings, standby.loaded):
                await asyncio.to_thread(_wake, served)
                try:
                    yield
                finally:
                    await chat.close()  # its turns end before the assistant that they are of
        finally:
            remote.withdraw(settings)
            await asyncio.to_thread(_close, served, workbench is None)

    # No interactive API docs: that page loads its scripts from elsewhere.
    app = _App(title="Databits Workbench", openapi_url=None, lifespan=lifespan)
    app.state.workbench = served
    _add_routes(app, served, mcp, standby)
    app.include_router(signin.routes(served, sessions))
    _mount_page(app, served, chat)
    app.add_middleware(Door, callers=callers_of(served), sessions=sessions)
    # Around the door: what a proxy says is read, and what others claim to be from one is taken away.
    hosts, proxy = (*LOOPBACK, settings.host, *settings.hosts), Proxy(settings)
    app.add_middleware(SameOrigin, hosts=hosts, proxy=proxy)
    app.mcp = SameOrigin(ServerErrorMiddleware(mcp.endpoint, _crashed), hosts, proxy, NO_PAGE)
    return app


class _App(FastAPI):
    """Answers `/mcp` before the page's framework and routing, which take as long as a small call."""

    mcp: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await self.mcp(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def serve(
    settings: Settings, *, open_browser: bool = False, workbench: Workbench | None = None
) -> None:
    """Serve until Ctrl+C.

    Args:
        workbench: The one to serve, where it is open already.

    Raises:
        Invalid, Conflict, Unavailable: when this workspace or this port can not be served; nothing
            was started then.
    """
    other = remote.serving(settings.home)
    if other is not None and not other.yields and database_file(settings.url) is not None:
        raise Conflict(
            f"This workspace is served already, at {_url(other.host, other.port)} by process {other.pid}. "
            "Open that address, or stop that process first."
        )
    listening = _listen(settings)
    try:
        app = build_app(settings, workbench, registers=True)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            proxy_headers=False,  # it would believe any program of this machine; see `Proxy`
        )
        server = _Server(config, _url(_as_seen_here(settings).host, settings.port), open_browser)
        ownership = make_way(settings)
        try:
            _refuse_unguarded(settings, app.state.workbench)
            with suppress(KeyboardInterrupt):  # uvicorn has ended in order, and raises it again
                server.run(sockets=[listening])
        finally:
            ownership.release()
    finally:
        listening.close()


class _Server(uvicorn.Server):
    """Says where it is once it answers, not before."""

    def __init__(self, config: uvicorn.Config, url: str, open_browser: bool) -> None:
        super().__init__(config)
        self._url = url
        self._open = open_browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:
            return
        print(f"Databits Workbench is at {self._url}\nStop it with Ctrl+C.", flush=True)
        if self._open:
            await asyncio.to_thread(webbrowser.open, self._url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Every open page holds a stream that has to be cut off, which is no error worth a trace.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def _add_routes(app: FastAPI, workbench: Workbench, mcp: HttpApp, standby: Standby) -> None:
    @app.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse(f"{PAGE}/")

    @app.get("/favicon.ico")
    def icon() -> FileResponse:
        return FileResponse(FOLDER / "icon.svg", media_type="image/svg+xml")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "version": version("databits-workbench")}

    @app.post("/responses")
    @app.post("/invocations")
    async def respond(request: Request) -> Response:
        # Seconds of imports, paid by the first caller instead of by every start.
        await standby.loaded()
        responses = await asyncio.to_thread(importlib.import_module, "ui.responses")
        return cast(Response, await responses.answer(request, standby))

    add_local_api(app, workbench)
    app.add_exception_handler(Exception, _crashed)
    app.include_router(gateway.routes(workbench))
    app.router.routes.extend(mcp.routes)


async def _crashed(request: Request, error: Exception) -> JSONResponse:
    # The server logs the error; a caller gets neither its text nor its trace.
    text = "That went wrong; the server's log has the details."
    return JSONResponse({"error_code": "INTERNAL_ERROR", "message": text}, status_code=500)


def _mount_page(app: FastAPI, workbench: Workbench, chat: Chat) -> None:
    options: dict[str, Any] = {
        "theme": theme(),
        # Not as `css`: Gradio rewrites those rules to below its own container.
        "head": f"<style>{asset('page.css')}</style><script>{asset('signed_out.js')}</script>",
        "footer_links": [],
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "enable_monitoring": False,
        "max_file_size": LIMIT,
    }
    gr.mount_gradio_app(app, build_page(workbench, chat), path=PAGE, **options)


def _wake(workbench: Workbench) -> None:
    """See to the runs that were left when the last process ended."""
    wake = getattr(workbench.jobs, "wake", None)
    if wake is not None:
        wake()


def _close(workbench: Workbench, with_database: bool) -> None:
    close = getattr(workbench.jobs, "close", None)  # only a platform with workers has any to stop
    if close is not None:
        close()
    if with_database:
        workbench.database.close()


def _refuse_unguarded(settings: Settings, workbench: Workbench) -> None:
    """Nobody off this machine is let near a server where nobody could sign in.

    Raises:
        Invalid: with how to change that.
    """
    if settings.identity_header and not settings.trusted_proxy:
        raise Invalid(
            "identity_header is set, but no trusted_proxy: anybody could send that header. "
            "Set DATABITS_TRUSTED_PROXY to the address of the proxy."
        )
    vouched = settings.identity_header or settings.oauth_issuer
    if is_loopback(settings.host) or vouched:
        return
    if not identity.has_accounts(workbench):
        raise Invalid(
            f"Others can reach the host {settings.host}, and nobody could sign in there. Add somebody first: "
            "`databits person add NAME`, then `databits person password NAME`. Behind a platform that signs "
            "people in, set DATABITS_IDENTITY_HEADER and DATABITS_TRUSTED_PROXY instead; with a sign-in server of your "
            "own, DATABITS_OAUTH_ISSUER. "
            "For this machine only, use the loopback address 127.0.0.1."
        )


def _as_seen_here(settings: Settings) -> Settings:
    """The settings with an address that commands of this machine can call."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return settings.model_copy(update={"host": anywhere.get(settings.host, settings.host)})


def _listen(settings: Settings) -> socket.socket:
    """The port, taken before anything is started.

    Raises:
        Unavailable: when something else has it.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol by name: only then does asyncio send small answers at once, not 40 ms later.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"Port {settings.port} is taken by another program. Choose another one: "
                f"`databits up --port {settings.port % 65_535 + 1}`."
            ) from None
        raise Unavailable(
            f"{settings.host} port {settings.port} can not be listened on: {error.strerror}."
        ) from None
    return listening


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PAGE}/"
