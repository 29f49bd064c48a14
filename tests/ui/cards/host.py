"""A host of MCP Apps: the official bridge in a page, beside the real MCP server on the same port."""

import socket
import threading
import time
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from databits.workbench import Workbench
from mcp_server.http import http_app
from tests import nodes

PAGE = Path(__file__).with_name("host.html")


class Host:
    """Serves until the end of the `with`."""

    def __init__(self, workbench: Workbench) -> None:
        mcp = http_app(workbench, workbench.settings)
        self._shown: list[tuple[str, str]] = []
        routes = [
            Route("/", lambda _: FileResponse(PAGE)),
            Route("/sandbox", self._keep, methods=["POST"]),
            Route("/sandbox/{number:int}", self._show),
            Mount("/modules", StaticFiles(directory=nodes.MODULES)),
            *mcp.routes,
        ]
        app = Starlette(routes=routes, lifespan=lambda _: mcp.lifespan())
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> "Host":
        self._thread.start()
        until = time.monotonic() + 120
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.05)
        assert self._server.started, "the host did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=120)
        self._socket.close()

    async def _keep(self, request: Request) -> Response:
        """Take a document in, to be served with the policy that the host derived for it."""
        body = await request.body()
        self._shown.append((body.decode(), request.headers["x-policy"]))
        return PlainTextResponse(f"/sandbox/{len(self._shown) - 1}")

    async def _show(self, request: Request) -> Response:
        text, policy = self._shown[request.path_params["number"]]
        return Response(text, media_type="text/html", headers={"content-security-policy": policy})
