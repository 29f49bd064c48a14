"""Signing in and out at the page, with a name and a password."""

import time
from collections import deque
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from databits import identity
from databits.errors import NotAllowed
from databits.workbench import Workbench
from mcp_server.callers import callers_of
from ui.door import SIGN_IN, SIGN_OUT, cookie_of, is_secure, session_of
from ui.pages import render
from ui.sessions import HOURS, Sessions

HOME = "/ui/"
BODY_LIMIT = 16_384
FAILURES = 10
WITHIN_S = 300.0
ADDRESSES = 10_000
AT_ONCE = 2
"""Passwords are checked so many at a time: each takes a tenth of a second and 32 MB."""


class Attempts:
    """Failed attempts to sign in, by the address they came from.

    How often a name may be tried is `identity`'s to count; this is against trying many names.
    """

    def __init__(self) -> None:
        self._failed: dict[str, deque[float]] = {}

    def wait(self, address: str) -> int:
        """Seconds until this address may try again; 0 when it may now."""
        failed = self._failed.get(address)
        if failed is None or len(failed) < FAILURES:
            return 0
        return max(0, round(failed[0] + WITHIN_S - time.monotonic() + 0.5))

    def failed(self, address: str) -> None:
        # A crowd of addresses must not fill the memory: the one that was first is forgotten.
        if address not in self._failed and len(self._failed) >= ADDRESSES:
            self._failed.pop(next(iter(self._failed)))
        self._failed.setdefault(address, deque(maxlen=FAILURES)).append(time.monotonic())

    def succeeded(self, address: str) -> None:
        self._failed.pop(address, None)


class SignIn:
    """The form, and what comes of it."""

    def __init__(self, workbench: Workbench, sessions: Sessions) -> None:
        self._workbench = workbench
        self._sessions = sessions
        self._attempts = Attempts()
        self._checking = anyio.CapacityLimiter(AT_ONCE)

    async def show(self, request: Request) -> Response:
        """The form; whoever has no need of it goes on to the page."""
        if await anyio.to_thread.run_sync(self._is_in, request):
            return RedirectResponse(HOME, status_code=303)
        some = await anyio.to_thread.run_sync(identity.has_accounts, self._workbench)
        return _form(accounts=some)

    async def enter(self, request: Request) -> Response:
        """Take the form: a session, or the form again with what was wrong."""
        address = request.client.host if request.client else ""
        seconds = self._attempts.wait(address)
        if seconds:
            text = f"Too many attempts have failed. Try again in {-(-seconds // 60)} min."
            return _form(text, status=429, headers={"Retry-After": str(seconds)})
        said = await _fields(request)
        if said is None:
            return _form("That was no name and password.", status=413)
        name, password = said
        try:
            secret = await anyio.to_thread.run_sync(
                self._open, name, password, limiter=self._checking
            )
        except NotAllowed as error:
            self._attempts.failed(address)
            return _form(str(error), status=401, name=name)
        self._attempts.succeeded(address)
        self._sessions.close(session_of(request.scope))  # the one this browser had before
        return _with_cookie(RedirectResponse(HOME, status_code=303), request, secret)

    async def leave(self, request: Request) -> Response:
        self._sessions.close(session_of(request.scope))
        answer = RedirectResponse(SIGN_IN, status_code=303)
        answer.headers["Clear-Site-Data"] = '"cache"'
        return _with_cookie(answer, request, "", seconds=0)

    def _open(self, name: str, password: str) -> str:
        return self._sessions.open(identity.sign_in(self._workbench, name, password))

    def _is_in(self, request: Request) -> bool:
        secret = session_of(request.scope)
        callers = callers_of(self._workbench)
        return not callers.sign_in_required() or bool(secret and self._sessions.actor(secret))


def routes(workbench: Workbench, sessions: Sessions) -> APIRouter:
    router = APIRouter()
    sign_in = SignIn(workbench, sessions)
    router.add_api_route(SIGN_IN, sign_in.show, methods=["GET"], response_model=None)
    router.add_api_route(SIGN_IN, sign_in.enter, methods=["POST"], response_model=None)
    router.add_api_route(SIGN_OUT, sign_in.leave, methods=["POST"], response_model=None)
    return router


async def _fields(request: Request) -> tuple[str, str] | None:
    """Name and password; None for a body that is no form of ours."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    try:
        said = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=4)
    except ValueError:
        return None
    return said.get("name", [""])[0].strip(), said.get("password", [""])[0]


def _form(
    problem: str = "",
    *,
    status: int = 200,
    name: str = "",
    accounts: bool = True,
    headers: dict[str, str] | None = None,
) -> Response:
    page = render("signin.html", problem=problem, name=name, accounts=accounts)
    return HTMLResponse(page, status, {"Cache-Control": "no-store", **(headers or {})})


def _with_cookie(
    answer: Response, request: Request, secret: str, seconds: int = HOURS * 3600
) -> Response:
    answer.set_cookie(
        cookie_of(request.scope),
        secret,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="strict",
        secure=is_secure(request.scope),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
