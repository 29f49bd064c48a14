"""An access token of the sign-in server (RFC 9068), checked: who it is about, through what, how far, until when.

Checking takes a signature, and sometimes a question to the sign-in server, so what came out is kept
for some minutes: until then, until the token ends, or until its key is withdrawn.
"""

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from databits.actor import Role
from databits.errors import NotAllowed
from databits.oauth.keys import Key, Keys, keys_of
from databits.oauth.names import person_name
from databits.oauth.scopes import ceiling, scopes_in
from databits.oauth.trust import Trust, trust_of
from databits.settings import Settings

LEEWAY_S = 30
"""How far clocks may be apart."""
KEPT_S = 300.0
MOST = 4096
LONGEST = 16_384
_ACCESS = frozenset({"at+jwt", "application/at+jwt"})
_UNSAID = frozenset({"jwt", ""})
_CLIENT = ("client_id", "azp", "cid", "appid")
CLIENT_LENGTH = 60
T = TypeVar("T")


class TokenRefused(NotAllowed):
    """A token that is not taken; the text says why, without a word of the token."""


class Verified(NamedTuple):
    """What a token that was checked says."""

    person: str
    client: str
    """The application that it was made for, as the sign-in server calls it."""
    principal: str
    """Person and application, whatever token they come with."""
    limit: Role | None
    """The most that its scopes allow; None: none of ours is among them."""
    human: bool
    """Whether the sign-in server says that somebody was there when it was made."""
    until: float
    """Seconds since 1970."""
    key: Key


class Tokens:
    """Checks the tokens of one sign-in server."""

    def __init__(self, trust: Trust, keys: Keys | None = None) -> None:
        self.trust = trust
        self._keys = keys or keys_of(trust)
        self._kept: dict[str, tuple[Verified, float]] = {}
        self._newest: dict[str, Verified] = {}
        self._lock = threading.Lock()

    def at_hand(self, secret: str) -> Verified | None:
        """What is known of a token without any work."""
        found = self._kept.get(_sha(secret))
        if found is None:
            return None
        verified, looked_at = found
        fresh = time.monotonic() - looked_at < KEPT_S and time.time() < verified.until
        return verified if fresh and self._keys.holds(verified.key) else None

    def check(self, secret: str) -> Verified:
        """What a token says; it takes a signature's time, so it runs in a worker thread.

        Raises:
            TokenRefused: for one that does not count here.
            Unavailable: when the sign-in server must be asked first, and can not be.
        """
        found = self.at_hand(secret)
        if found is None:
            found = self._check(secret)
            with self._lock:
                _keep(self._kept, _sha(secret), (found, time.monotonic()))
                before = self._newest.get(found.principal)
                if before is None or before.until <= found.until:
                    _keep(self._newest, found.principal, found)
        return found

    def newest(self, principal: str) -> Verified:
        """The token that lasts longest of those that a person's application has shown.

        Raises:
            TokenRefused: when that has ended, too.
        """
        found = self._newest.get(principal)
        if found is None or time.time() >= found.until or not self._keys.holds(found.key):
            raise TokenRefused("It has expired.")
        return found

    def _check(self, secret: str) -> Verified:
        import jwt

        if len(secret) > LONGEST:
            raise TokenRefused("It is too long.")
        try:
            header = jwt.get_unverified_header(secret)
        except _broken():
            raise TokenRefused("It is no JWT of the sign-in server, and none of ours.") from None
        key = self._key_of(header)
        options: Any = {
            "require": ["iss", "aud", "exp", "sub"],
            "verify_aud": False,  # below: as URLs
            "enforce_minimum_key_length": True,
        }
        try:
            claims = jwt.decode(
                secret,
                key.public,
                algorithms=[header["alg"]],
                issuer=self.trust.issuer,
                leeway=LEEWAY_S,
                options=options,
            )
        except _broken() as error:
            raise TokenRefused(_in_words(error)) from None
        if not self.trust.is_for_us(claims["aud"]):
            raise TokenRefused("It was made for another server.")
        _refuse_others(header, claims)
        return self._said(claims, key)

    def _key_of(self, header: Mapping[str, Any]) -> Key:
        kid, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(kid, str):
            raise TokenRefused("It does not say which key has signed it.")
        found = self._keys.find(kid, str(algorithm))
        if found is None:
            raise TokenRefused("It was not signed with a key of the sign-in server.")
        return found

    def _said(self, claims: Mapping[str, Any], key: Key) -> Verified:
        trust = self.trust
        person = claims.get(trust.person)
        if not isinstance(person, str) or not person.strip():
            raise TokenRefused(
                "It does not name a person by the claim that DATABITS_OAUTH_PERSON says."
            )
        if trust.person == "email" and claims.get("email_verified") is not True:
            raise TokenRefused("Its email address was not verified.")
        application = next((claims[n] for n in _CLIENT if isinstance(claims.get(n), str)), "")
        whose = json.dumps([claims["iss"], claims["sub"], person, application])
        return Verified(
            person_name(trust.person, person, trust.prefix),
            "".join(c if c.isprintable() else " " for c in application)[:CLIENT_LENGTH],
            whose,
            ceiling(scopes_in(claims), trust.scope_prefix),
            _was_there(claims, application),
            float(claims["exp"]) + LEEWAY_S,
            key,
        )


def tokens_of(settings: Settings) -> Tokens | None:
    """What checks the tokens of the sign-in server in the settings; None without one.

    Raises:
        Invalid: when the settings about it do not go together.
    """
    trust = trust_of(settings)
    return None if trust is None else Tokens(trust)


def _refuse_others(header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Refuse what the same server has signed for another purpose.

    Some servers give access tokens no type. Then they are known by their scopes, and ID tokens by
    what only those have.

    Raises:
        TokenRefused: for an ID token, a refresh token, one that is bound to a key of its client.
    """
    kind = str(header.get("typ", "")).lower()
    if kind not in _ACCESS:
        looks = bool(scopes_in(claims)) and not {"nonce", "at_hash", "c_hash"} & set(claims)
        # Keycloak says the type among the claims.
        if kind not in _UNSAID or not looks or claims.get("typ", "Bearer") != "Bearer":
            raise TokenRefused("It is no access token.")
    if "cnf" in claims:
        raise TokenRefused(
            "It is bound to a key of its client (DPoP, mTLS), which is not looked at here."
        )


def _was_there(claims: Mapping[str, Any], application: str) -> bool:
    """Whether a person was there; a server that does not say so leaves it at software."""
    software = (
        claims["sub"] == application
        or claims.get("idtyp") == "app"
        or claims.get("gty") == "client-credentials"
        or str(claims.get("preferred_username", "")).startswith("service-account-")
    )
    said = {"auth_time", "amr", "sid"} & set(claims) or isinstance(claims.get("scp"), str)
    return bool(said) and not software


def _in_words(error: Exception) -> str:
    import jwt

    words = (
        (jwt.ExpiredSignatureError, "It has expired."),
        (jwt.ImmatureSignatureError, "It is not valid yet."),
        (jwt.InvalidIssuerError, "It is another sign-in server's."),
        (jwt.MissingRequiredClaimError, "It lacks a claim: iss, aud, exp and sub are needed."),
        (jwt.InvalidSignatureError, "It was not signed with a key of the sign-in server."),
    )
    return next((text for kind, text in words if isinstance(error, kind)), "It is malformed.")


def _broken() -> tuple[type[Exception], ...]:
    """What a library may raise for a token that somebody made up."""
    import jwt

    return (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def _keep(kept: dict[str, T], name: str, value: T) -> None:
    """Keep one more, and not the one that was kept first when they are too many."""
    kept.pop(name, None)
    kept[name] = value
    if len(kept) > MOST:
        del kept[next(iter(kept))]


def _sha(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
