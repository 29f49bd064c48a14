"""The signing keys of the sign-in server: kept, renewed every few minutes, and looked for again when new.

Who can not be asked locks nobody out: keys that were read once go on counting for a day. Nobody gets
in by it either: without the key that a token names, the token is not taken.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from databits.errors import DatabitsError, Unavailable
from databits.oauth.trust import Trust, address
from databits.settings import is_loopback

RENEW_S = 300.0
"""How old keys are when they are read again; one that was withdrawn counts that long."""
RETRY_S = 5.0
"""Seconds between two readings, whatever unknown keys tokens name."""
KEEP_S = 86_400.0
TIMEOUT_S = 5.0
LARGEST = 1024 * 1024
_ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
}
_PUBLIC = ("kty", "crv", "n", "e", "x", "y")
log = logging.getLogger("databits")


@dataclass(frozen=True)
class Key:
    """A public key, and what it may have signed with."""

    kid: str
    algorithms: tuple[str, ...]
    material: str
    public: Any = field(compare=False, repr=False)


class Keys:
    """The keys of one sign-in server.

    Args:
        read: Gets its key set (RFC 7517); raises OSError or ValueError when it can not.
    """

    def __init__(
        self, read: Callable[[], Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._read_at = self._tried_at = float("-inf")
        self._reading = threading.Lock()

    def find(self, kid: str, algorithm: str) -> Key | None:
        """The key of that id; it may ask the sign-in server, so it runs in a worker thread.

        Returns:
            None when the sign-in server has none.

        Raises:
            Unavailable: when it can not be asked, and may have one.
        """
        if self._age() > KEEP_S:
            self._keys = ()
        # Old keys are good enough for everybody but the one who renews them.
        self._renew(RENEW_S, wait=not self._keys)
        found = self._known(kid, algorithm)
        if found is None:
            self._renew(RETRY_S, wait=True)
            found = self._known(kid, algorithm)
        if found is None and self._tried_at > self._read_at:
            raise Unavailable(
                "The sign-in server can not be asked for its keys, so this token can not be checked. Try again later."
            )
        return found

    def holds(self, key: Key) -> bool:
        """Whether a key still counts."""
        return key in self._keys and self._age() <= KEEP_S

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _known(self, kid: str, algorithm: str) -> Key | None:
        return next((k for k in self._keys if k.kid == kid and algorithm in k.algorithms), None)

    def _renew(self, after_s: float, *, wait: bool) -> None:
        """Read the keys again, if they are that old.

        Args:
            wait: for another thread that is reading them; else it is left to that one.
        """
        if not (wait or self._is_due(after_s)) or not self._reading.acquire(blocking=wait):
            return
        try:
            if self._is_due(after_s):  # else somebody has tried while we waited
                self._try()
        finally:
            self._reading.release()

    def _is_due(self, after_s: float) -> bool:
        return self._age() >= after_s and self._clock() - self._tried_at >= RETRY_S

    def _try(self) -> None:
        moment = self._tried_at = self._clock()
        try:
            found = keys_in(self._read())
        except (OSError, ValueError, DatabitsError, RecursionError) as error:
            log.warning("The keys of the sign-in server can not be read: %s", type(error).__name__)
            return
        self._keys, self._read_at = found, moment


def keys_in(document: Any) -> tuple[Key, ...]:
    """The keys of a set that can have signed a token; only such as have a public half.

    Raises:
        ValueError: when there is none.
    """
    said = document.get("keys") if isinstance(document, dict) else None
    listed = said if isinstance(said, list) else []
    found = [key for jwk in listed if isinstance(jwk, dict) and (key := _key(jwk)) is not None]
    if not found:
        raise ValueError("no key set")
    return tuple(found)


def _key(jwk: Mapping[str, Any]) -> Key | None:
    import jwt  # 0.1 s, and only where there is a sign-in server

    kid, use, alg = jwk.get("kid"), jwk.get("use", "sig"), jwk.get("alg")
    kind = jwk.get("kty")
    algorithms = _ALGORITHMS.get(str(kind if kind == "RSA" else jwk.get("crv")), ())
    if alg is not None:
        algorithms = tuple(name for name in algorithms if name == alg)
    if not isinstance(kid, str) or use != "sig" or not algorithms:
        return None
    public = {name: jwk[name] for name in _PUBLIC if name in jwk}
    try:
        made = jwt.PyJWK(public, algorithms[0])
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return Key(kid, algorithms, json.dumps(public, sort_keys=True), made.key)


def keys_of(trust: Trust) -> Keys:
    """The keys of the sign-in server that the settings name; nothing is asked yet."""
    where = trust.keys
    if isinstance(where, Path):
        return Keys(lambda: json.loads(where.read_text(encoding="utf-8")))
    return Keys(lambda: fetch(where or discover(trust.issuer)))


def discover(issuer: str) -> str:
    """Where a sign-in server has its keys, by its own description (RFC 8414, or OpenID's).

    Raises:
        OSError, ValueError, Invalid: when it has none, or it is another's.
    """
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    trouble: Exception = ValueError("no description")
    for url in (
        f"{root}/.well-known/oauth-authorization-server{path}",
        f"{root}{path}/.well-known/openid-configuration",
        f"{root}/.well-known/openid-configuration{path}",
    ):
        try:
            found = fetch(url)
        except (OSError, ValueError) as error:
            trouble = error
            continue
        if isinstance(found, dict) and found.get("issuer") == issuer:
            where = str(found.get("jwks_uri", ""))
            # One that is out there must not send us to a port of this machine.
            address("oauth_issuer", where, local=is_loopback(parts.hostname or ""))
            return where
    raise trouble


def fetch(url: str) -> Any:
    """JSON from a URL that the settings or the sign-in server name. It follows no redirection.

    Raises:
        OSError: when there is no answer in time; ValueError: when it is no JSON, or too long.
    """
    import http.client
    import urllib.error
    import urllib.request

    class _Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    # No proxy is asked for what is on this machine.
    here = is_loopback(urlsplit(url).hostname or "")
    direct = (urllib.request.ProxyHandler({}),) if here else ()
    asked = urllib.request.Request(url, headers={"Accept": "application/json"})
    try:
        with urllib.request.build_opener(_Stay, *direct).open(asked, timeout=TIMEOUT_S) as answer:
            body = answer.read(LARGEST + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise
    except http.client.HTTPException as error:
        raise OSError(type(error).__name__) from None
    if len(body) > LARGEST:
        raise ValueError("too long")
    return json.loads(body)
