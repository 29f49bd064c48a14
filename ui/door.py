"""The one door of the server: which routes are open, which take a token, and which a person.

Whatever is not named here belongs to the page and takes a signed-in person, so that a route nobody
thought of, of Gradio's for one, is closed.
"""

from http.cookies import CookieError, SimpleCookie

import anyio.to_thread
from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from databits.actor import Actor, Surface
from databits.errors import NotAllowed
from databits.settings import is_loopback
from mcp_server.callers import SIGNED_IN, Authenticated, Callers
from ui.sessions import Sessions

PERSON = "databits.person"
"""Key of a request's scope: the `Actor` at the page, which no client can write."""
BY_SESSION = "databits.by_session"
"""Key of a request's scope: whether they have signed in here, and so can sign out."""
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
OPEN = frozenset({"/health", "/favicon.ico", SIGN_IN, SIGN_OUT})
TOKENS: dict[str, Surface] = {"/mcp": "mcp", "/responses": "http", "/invocations": "http"}
ENDPOINTS = ("/serving-endpoints/", "/api/2.0/serving-endpoints")
LOCAL = "/local/"
# Clients of MCP look there for an OAuth server, and must find that there is none.
WELL_KNOWN = "/.well-known/"
PAGES = 10_000
SECURE_COOKIE = "__Host-databits"


class Door:
    """ASGI middleware that lets in who may come in, and says in the scope who they are."""

    def __init__(self, app: ASGIApp, callers: Callers, sessions: Sessions) -> None:
        self._app = app
        self._callers = callers
        self._sessions = sessions
        self._pages: dict[str, str] = {}
        self._by_token: dict[Surface, Authenticated] = {
            surface: Authenticated(app, callers, surface) for surface in ("mcp", "http")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        surface = TOKENS.get(path) or ("http" if path.startswith(ENDPOINTS) else None)
        if path in OPEN or path.startswith(WELL_KNOWN):
            await self._app(scope, receive, send)
        elif path.startswith(LOCAL):
            await (self._app if _is_here(scope) else _NOWHERE)(scope, receive, send)
        elif surface is not None and scope["type"] == "http":
            await self._by_token[surface](scope, receive, send)
        else:
            await self._to_page(scope, receive, send)

    async def _to_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            person, secret = await anyio.to_thread.run_sync(self._person, scope)
        except NotAllowed as error:
            await _refuse(str(error), scope, receive, send)
            return
        if not self._is_theirs(scope, person):
            await PlainTextResponse("That is another's page.", 403)(scope, receive, send)
            return
        if secret:
            send = self._while_signed_in(secret, send)
        await self._app({**scope, PERSON: person, BY_SESSION: bool(secret)}, receive, send)

    def _person(self, scope: Scope) -> tuple[Actor, str]:
        """Who is at the page, and the id of their session if that is how we know.

        Raises:
            NotAllowed: when nobody is.
        """
        vouched = self._callers.by_proxy(scope, "chat")
        if vouched is not None:
            return vouched, ""
        secret = session_of(scope)
        signed_in = self._sessions.actor(secret) if secret else None
        if signed_in is not None:
            return signed_in, secret
        return self._callers.local("chat"), ""

    def _is_theirs(self, scope: Scope, person: Actor) -> bool:
        """Whether an open page is this person's: what Gradio tells a page goes by the page's name,
        which its browser made up, so it belongs to whoever named it first."""
        page = QueryParams(scope["query_string"]).get("session_hash")
        if not page:
            return True
        if page not in self._pages and len(self._pages) >= PAGES:
            self._pages.pop(next(iter(self._pages)))
        return self._pages.setdefault(page, person.name) == person.name

    def _while_signed_in(self, secret: str, send: Send) -> Send:
        """Cut a stream off when its session ends: it may stay open for hours."""
        streams = over = False

        async def say(message: Message) -> None:
            nonlocal streams, over
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                streams = kind.startswith("text/event-stream")
            elif streams and not over:
                signed_in = await anyio.to_thread.run_sync(self._sessions.actor, secret)
                if signed_in is None:
                    over = True
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            if not over:
                await send(message)

        return say


def session_of(scope: Scope) -> str:
    """The id of the session that a browser names; empty when it names none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return ""
    found = jar.get(cookie_of(scope))
    return found.value if found else ""


def cookie_of(scope: Scope) -> str:
    """The name of the cookie; on this machine, servers on other ports share the jar."""
    if is_secure(scope):
        return SECURE_COOKIE
    return f"databits-{HTTPConnection(scope).url.port or 80}"


def is_secure(scope: Scope) -> bool:
    """Whether the cookie may travel over https only: anywhere but on this machine."""
    return not is_loopback(HTTPConnection(scope).url.hostname or "")


def _is_here(scope: Scope) -> bool:
    """Whether a request comes from this machine: from loopback, or from the very address it asks."""
    client, server = scope.get("client"), scope.get("server")
    if not client:
        return False
    return is_loopback(client[0]) or bool(server and client[0] == server[0])


async def _refuse(why: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a browser to the sign-in page; tell a program or a script."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "Sign in first."})
        return
    wants_page = "text/html" in Headers(scope=scope).get("accept", "")
    if SIGNED_IN in scope:  # the platform has signed them in, and they may not come in all the same
        await PlainTextResponse(why, status_code=403)(scope, receive, send)
    elif scope["method"] in ("GET", "HEAD") and wants_page:
        await RedirectResponse(SIGN_IN, status_code=303)(scope, receive, send)
    else:
        detail = {"detail": f"Sign in first, at {SIGN_IN}."}
        headers = {"cache-control": "no-store", "www-authenticate": "Cookie"}
        await JSONResponse(detail, status_code=401, headers=headers)(scope, receive, send)


_NOWHERE = PlainTextResponse("Not found.", status_code=404)
