"""What one caller may ask of a server over HTTP: so many requests, calls at once, sessions.

The limits are for loops that ran away and for floods; no person and no editor comes near them. They
count per person, whatever tokens they use, in this process. This machine's own user, where nobody
signs in, is not counted by the minute: there is nobody to keep them from.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp_types.version import is_version_at_least

from databits.errors import OverQuota
from databits.settings import Settings
from mcp_server.callers import AsgiApp, Message, Receive, Scope, Send, caller_in
from mcp_server.reply import refusal

SESSION = b"mcp-session-id"
WITHOUT_SESSIONS = "2026-07-28"
_MANY = 10_000  # callers that are remembered
Whose = Callable[[ServerRequestContext[Any, Any]], str]
Clock = Callable[[], float]


class Buckets:
    """A token bucket a caller: a third of a minute's requests at once, then as they drip in."""

    def __init__(self, per_minute: int, clock: Clock = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._size = max(1.0, per_minute / 3)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, who: str) -> float:
        """Take one; 0, or the seconds after which there is one again."""
        if not self._rate:
            return 0.0
        moment = self._clock()
        left, before = self._left.pop(who, (self._size, moment))
        left = min(self._size, left + (moment - before) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[who] = (left if wait else left - 1, moment)
        if len(self._left) > _MANY:
            self._left.pop(next(iter(self._left)))  # whoever has not asked for longest
        return wait


class Limited:
    """ASGI middleware inside of `Authenticated`: 429 for floods and for too many sessions.

    Args:
        open_sessions: The ids of the sessions that the transport has open now.
    """

    def __init__(
        self, app: AsgiApp, settings: Settings, open_sessions: Callable[[], Collection[str]]
    ) -> None:
        self._app = app
        self._buckets = Buckets(settings.requests_per_minute)
        self._most = settings.sessions_each
        self._open = open_sessions
        self._sessions: dict[str, set[str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = caller_in(scope).actor.name
        wait = self._buckets.wait(who) if "user" in scope else 0.0
        if wait:
            words = "Too many requests: more than DATABITS_REQUESTS_PER_MINUTE allows one person."
            await _too_many(send, words, wait)
        elif not _opens_session(scope):
            await self._app(scope, receive, send)
        elif self._count(who) >= self._most:
            words = f"{self._most} sessions of yours are open. Close some, or wait until they are given up."
            await _too_many(send, words, 60)
        else:
            await self._app(scope, receive, self._noting(who, send))

    def _count(self, who: str) -> int:
        still = self._sessions.get(who, set()) & set(self._open())
        self._sessions[who] = still
        return len(still)

    def _noting(self, who: str, send: Send) -> Send:
        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                made = [v.decode("latin-1") for n, v in message["headers"] if n.lower() == SESSION]
                self._sessions.setdefault(who, set()).update(made)
            await send(message)

        return say


def at_once(most: int, whose: Whose) -> ServerMiddleware[Any]:
    """A server's middleware: a caller has at most so many tool calls under way."""
    under_way: Counter[str] = Counter()

    async def count(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method != "tools/call":
            return await call_next(ctx)
        who = whose(ctx)
        if under_way[who] >= most:
            return refusal(
                OverQuota(
                    f"{most} calls of yours are under way, so this one was not begun. Wait until one of them has "
                    "ended, then call again."
                )
            )
        under_way[who] += 1
        try:
            return await call_next(ctx)
        finally:
            under_way[who] -= 1
            if not under_way[who]:
                del under_way[who]

    return count


def _opens_session(scope: Scope) -> bool:
    """Whether a request may open a session: a POST without one, of the protocol that has them."""
    if scope["method"] != "POST":
        return False
    headers = dict(scope["headers"])  # whose names are in small letters, says ASGI
    version = headers.get(b"mcp-protocol-version", b"").decode("latin-1")
    if SESSION in headers:
        return False
    return not (version and is_version_at_least(version, WITHOUT_SESSIONS))


async def _too_many(send: Send, words: str, wait: float) -> None:
    body = json.dumps({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": words}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(math.ceil(wait)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
