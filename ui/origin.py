"""What a page of another site, or a name pointed at this machine, must not reach.

On a machine of one's own nobody signs in, so the browser is the only way in from outside: a foreign
page can post to 127.0.0.1 (without a preflight, when it claims to send plain text), and a foreign
name can resolve to it. Both are refused here, for every route at once, Gradio's own among them;
where people sign in, that also keeps other sites from acting in their name.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.proxy import Proxy, is_number

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Fetch metadata of requests that this page, or nobody's page, makes.
OWN = frozenset({"same-origin", "none", ""})
# Texts of data reach these pages. They are escaped where they are shown; this is the second lock:
# whatever slips through can load nothing from elsewhere and post nothing there. Gradio compiles
# its templates in the browser, which takes the two `unsafe` ones.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
"""Of what answers programs, and is no page."""


class SameOrigin:
    """ASGI middleware: own host names only, own pages only, no forged identity, no way out.

    Args:
        policy: What a browser may load for an answer.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], proxy: Proxy, policy: str = POLICY
    ) -> None:
        self._app = app
        self._guards = ((b"content-security-policy", policy.encode()), *_GUARDS)
        self._hosts = frozenset(host.lower() for host in hosts)
        self._proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope = self._proxy.read(scope)
        problem = self._problem(scope, Headers(scope=scope))
        if problem:
            await _refuse(problem, scope, receive, send)
            return
        await self._app(scope, receive, _guarded(send, self._guards))

    def _problem(self, scope: Scope, headers: Headers) -> str:
        """Why a request is refused; empty when it is not."""
        host = headers.get("host", "")
        if not self._is_own(scope, _name_in(host)):
            return "This server answers to its own address only; DATABITS_HOSTS names further ones."
        if scope["type"] == "http" and scope["method"] in SAFE:
            return ""
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "Requests from pages of other sites are refused."
        if headers.get("sec-fetch-site", "") not in OWN:
            return "Requests from pages of other sites are refused."
        return ""

    def _is_own(self, scope: Scope, host: str) -> bool:
        """Whether a request asks for this server: by a known name, or by the very address it came to.

        Nobody can point a number elsewhere, as they can a name.
        """
        server = scope.get("server")
        return host in self._hosts or bool(server and host == server[0] and is_number(host))


@lru_cache(maxsize=64)  # clients say the same few names over and over
def _name_in(host: str) -> str:
    """The name or address in a `Host` header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # no address at all, such as `[`
        return ""


async def _refuse(problem: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": problem})
        return
    await PlainTextResponse(problem, status_code=403)(scope, receive, send)


_GUARDS = (
    (b"x-content-type-options", b"nosniff"),
    # With none at all, browsers would name no origin when a form is sent.
    (b"referrer-policy", b"same-origin"),
)
_GUARDED = frozenset((b"content-security-policy", *(name for name, _ in _GUARDS)))


def _guarded(send: Send, guards: Iterable[tuple[bytes, bytes]]) -> Send:
    """Answers that tell the browser to load nothing from elsewhere."""

    async def say(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in _GUARDED]
            message = {**message, "headers": [*kept, *guards]}
        await send(message)

    return say
