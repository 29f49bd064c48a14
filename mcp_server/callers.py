"""Who comes in over HTTP: by a token, by the proxy in front, or as this machine's user.

A token is one of ours, or of the team's own sign-in server where the settings name one.
On a machine of one's own nobody signs in. That ends with the first account, off loopback, or by a
setting; from then on a request without a token or a signed-in person is refused, never taken for
this machine's user. A token that is wrong is refused in any case.
"""

import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from anyio import CapacityLimiter, to_thread
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from databits import identity
from databits.actor import Actor, Role, Surface
from databits.errors import NotAllowed, Unavailable
from databits.oauth import entering
from databits.oauth.tokens import Tokens
from databits.oauth.trust import Trust
from databits.workbench import Workbench
from mcp_server.auth import local_actor
from mcp_server.challenges import refuse
from mcp_server.tracing import within_trace_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# Keys of an ASGI scope, which no client can write.
CALLER = "databits.caller"
AGAIN = "databits.again"
"""Looks once more at who a request came from; raises NotAllowed for a token that was revoked since."""
SIGNED_IN = "databits.signed_in"
"""Name of the person that a trusted proxy has signed in."""
OURS = identity.PREFIX
"""What our tokens begin with. Other keys are none of ours: some clients can not do without one."""
CHECKS_AT_ONCE = 8
"""Tokens of the sign-in server that are checked at the same time: it may be slow to say its keys."""
HOW = (
    "Sign in first: send `Authorization: Bearer dbw_…`. A token is made with `databits token create`, "
    "on the machine of the server."
)


class Caller(NamedTuple):
    """Who a request comes from."""

    actor: Actor
    toolsets: tuple[str, ...] | None = None
    """Stages whose operations it may use; None means all."""
    principal: str = ""
    """Who that is whatever token they come with; empty: the token is."""
    up_to: Role | None = None
    """What a token of the sign-in server could do with more scopes; None: it is none of theirs."""

    def may_use(self, stage: str) -> bool:
        return self.toolsets is None or stage in self.toolsets


class Callers:
    """Says who a request comes from; one a workbench, see `callers_of`."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def sign_in_required(self) -> bool:
        """Whether nobody is taken for this machine's user; of a new account it is at most 1 s late."""
        return self._workbench.settings.serves_others or identity.has_accounts(self._workbench)

    def of(self, scope: Scope, surface: Surface) -> Caller:
        """The caller of a request; it reads the database, so it runs in a worker thread.

        Raises:
            NotAllowed: for nobody, and for a token that is wrong, expired or revoked.
            Unavailable: when a token can not be checked now.
        """
        secret = _bearer(scope)
        person = self.by_proxy(scope, surface)
        if tokens := self._judges(scope, secret):
            return _entered(entering.enter(self._workbench, tokens, secret, surface))
        if secret.startswith(OURS) or (secret and person is None and self.sign_in_required()):
            return Caller(*identity.bearer(self._workbench, secret, surface))
        if person is not None:
            return Caller(person)
        return Caller(self.local(surface))

    def again(self, scope: Scope, surface: Surface, before: Caller) -> Caller:
        """The caller of a request that goes on for long, as they stand now.

        Raises:
            NotAllowed: when they may not come in any more.
        """
        tokens = self._workbench.tokens
        if not before.principal or tokens is None:
            return self.of(scope, surface)
        # Tokens of a sign-in server last minutes: what began with one goes on with the next.
        return _entered(entering.enter_again(self._workbench, tokens, before.principal, surface))

    def is_at_hand(self, scope: Scope) -> bool:
        """Whether `of` has its answer without reading the database: then it needs no thread."""
        secret = _bearer(scope)
        if tokens := self._judges(scope, secret):
            return entering.is_at_hand(self._workbench, tokens, secret)
        return identity.is_at_hand(self._workbench, secret)

    def takes_checking(self, scope: Scope) -> bool:
        """Whether a request's token is one that the sign-in server may have to be asked about."""
        secret = _bearer(scope)
        tokens = self._judges(scope, secret)
        return tokens is not None and tokens.at_hand(secret) is None

    @property
    def trust(self) -> Trust | None:
        """The team's own sign-in server."""
        return self._workbench.tokens.trust if self._workbench.tokens is not None else None

    def _judges(self, scope: Scope, secret: str) -> Tokens | None:
        """What checks a request's token, if that is for the sign-in server: none of ours, and where
        no proxy has vouched for somebody already."""
        ours = not secret or secret.startswith(OURS)
        return None if ours or scope.get(SIGNED_IN) else self._workbench.tokens

    def by_proxy(self, scope: Scope, surface: Surface) -> Actor | None:
        """The person that a trusted proxy names, if it does.

        Raises:
            NotAllowed: when they have been disabled.
        """
        name = scope.get(SIGNED_IN)
        # Nothing but a grant makes them more than a viewer, whatever they are called.
        return self.standing(Actor(name, "viewer", surface)) if name else None

    def standing(self, actor: Actor) -> Actor:
        """Somebody with the role that the grants give them now.

        Raises:
            NotAllowed: when they have been disabled.
        """
        known = self._workbench.directory.look()
        if actor.name in known.grants.disabled:
            raise NotAllowed("This account is disabled. An admin can let you in again.")
        return actor.standing_as(known.role(actor.name, actor.surface_role))

    def best_role(self, caller: Caller) -> Role:
        """The highest role that somebody has anywhere, on a single Databit too.

        Of a person at the sign-in server it is what they could have there: they see tools whose call
        asks them for another scope.
        """
        actor = caller.actor
        if caller.up_to is not None and not actor.service:
            return caller.up_to
        known = self._workbench.directory.look()
        best = known.best_role(actor.name.lower(), actor.surface_role)
        return actor.standing_as(best).role

    def local(self, surface: Surface) -> Actor:
        """This machine's user.

        Raises:
            NotAllowed: when people sign in here.
        """
        if self.sign_in_required():
            raise NotAllowed(HOW)
        return local_actor(self._workbench.settings, surface)

    def owner(self, actor: Actor) -> str:
        """What keeps a person's conversations apart from others'; empty for this machine's user."""
        if actor.name == local_actor(self._workbench.settings, actor.surface).name:
            return ""
        return f"p{hashlib.sha256(actor.name.encode()).hexdigest()[:32]}"


_known: WeakKeyDictionary[Workbench, Callers] = WeakKeyDictionary()


def callers_of(workbench: Workbench) -> Callers:
    """The one `Callers` of a workbench."""
    return _known.setdefault(workbench, Callers(workbench))


def caller_in(scope: Scope) -> Caller:
    """The caller that `Authenticated` has put into a request's scope.

    Raises:
        NotAllowed: when the request did not come through it.
    """
    found = scope.get(CALLER)
    if not isinstance(found, Caller):
        raise NotAllowed(HOW)
    return found


class Authenticated:
    """ASGI middleware: nobody gets through unknown, and what is behind never sees a token."""

    def __init__(self, app: AsgiApp, callers: Callers, surface: Surface) -> None:
        self._app = AuthContextMiddleware(app)
        self._callers = callers
        self._surface = surface
        self._checking = CapacityLimiter(CHECKS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if CALLER not in scope:  # else whoever is around this has looked already
            look = partial(self._callers.of, scope, self._surface)
            limiter = self._checking if self._callers.takes_checking(scope) else None
            try:
                at_hand = self._callers.is_at_hand(scope)
                caller = look() if at_hand else await to_thread.run_sync(look, limiter=limiter)
            except (NotAllowed, Unavailable) as error:
                given, mcp = bool(_bearer(scope)), self._surface == "mcp"
                await refuse(send, scope, error, self._callers.trust, given=given, mcp=mcp)
                return
            again = partial(self._callers.again, scope, self._surface, caller)
            known = {CALLER: caller, AGAIN: again}
            scope = {**scope, **_principal(scope, caller), **known, "headers": _plain(scope)}
        with within_trace_of(scope):
            await self._app(scope, receive, send)


def _entered(found: entering.Entered) -> Caller:
    return Caller(found.actor, None, found.principal, found.up_to)


def _bearer(scope: Scope) -> str:
    """The token of a request; empty without one."""
    given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    if not given:
        return ""
    kind, _, secret = given[0].decode("latin-1").partition(" ")
    if len(given) > 1:
        return OURS  # a wrong one: it would be anybody's guess which of them counts
    return secret.strip() if kind.lower() == "bearer" else ""


def _plain(scope: Scope) -> list[tuple[bytes, bytes]]:
    return [pair for pair in scope["headers"] if pair[0].lower() != b"authorization"]


def _principal(scope: Scope, caller: Caller) -> dict[str, Any]:
    """What the MCP SDK binds sessions and questions to: the very token, or the proxy's person.

    At a sign-in server tokens end after minutes and others come: there it is person and application.
    """
    secret, person = _bearer(scope), scope.get(SIGNED_IN)
    if caller.principal:
        whose = f"principal {caller.principal}"
    elif person and not secret.startswith(OURS):
        whose = f"person {person}"
    elif secret:
        whose = f"token {secret}"
    else:
        return {}
    digest = hashlib.sha256(whose.encode()).hexdigest()
    return {"user": AuthenticatedUser(AccessToken(token="", client_id=digest, scopes=[]))}
