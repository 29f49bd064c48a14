"""The local API of the page's process: calls of this user's own commands and stdio servers.

The other end of `databits/remote.py`. A call that wants its steps told gets them as lines before its
answer; when whoever asked hangs up, it ends at its next step.
"""

import hmac
import json
import logging
from asyncio import CancelledError
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from databits import local_api, remote
from databits.errors import Cancelled, Invalid
from databits.workbench import Workbench
from mcp_server.threads import WAITS, waits

log = logging.getLogger("databits")


def add_local_api(app: FastAPI, workbench: Workbench) -> None:
    waiting = anyio.CapacityLimiter(WAITS)

    @app.post("/local/{verb}", response_model=None)
    async def local(verb: str, request: Request) -> Response:
        """Calls of this user's own processes, who alone can read the secret."""
        given = request.headers.get("authorization", "")
        wanted = f"Bearer {request.app.state.server.token}"
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return JSONResponse({"detail": "The secret in server.json is needed."}, status_code=401)
        try:
            body = dict(await request.json())
            limiter = waiting if waits(dict(body.get("arguments") or {})) else None
            if body.get("steps"):
                return Steps(workbench, verb, body, limiter)
            found = await anyio.to_thread.run_sync(
                local_api.answer, workbench, verb, body, limiter=limiter
            )
        except (KeyError, TypeError, ValueError):
            return JSONResponse(remote.refusal(Invalid("The call is malformed.")), status_code=400)
        return JSONResponse(found)


class Steps(Response):
    """A call's steps, a line each, and its answer in the last one."""

    def __init__(
        self,
        workbench: Workbench,
        verb: str,
        body: dict[str, Any],
        limiter: anyio.CapacityLimiter | None,
    ) -> None:
        super().__init__()
        self._limiter = limiter
        self._call = partial(local_api.answer, workbench, verb, body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        async with anyio.create_task_group() as group:

            async def hangs_up() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            async def line(text: bytes, more: bool = True) -> None:
                await send({"type": "http.response.body", "body": text, "more_body": more})

            def step(done: float, message: str) -> None:
                try:
                    anyio.from_thread.check_cancelled()
                except CancelledError:
                    raise Cancelled(local_api.GONE) from None
                anyio.from_thread.run(line, local_api.step(done, message))

            group.start_soon(hangs_up)
            try:
                found = await anyio.to_thread.run_sync(
                    partial(self._call, step), limiter=self._limiter
                )
            except (KeyError, TypeError, ValueError):
                found = remote.refusal(Invalid("The call is malformed."))
            except Exception:
                log.exception("a call from another process crashed")
                found = {}
            await line(json.dumps(found).encode(), more=False)
            group.cancel_scope.cancel()
