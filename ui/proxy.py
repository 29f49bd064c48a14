"""What the proxy in front of the server may say about a request: who, from where, by which address."""

import ipaddress

from starlette.datastructures import Headers
from starlette.types import Scope

from databits.settings import Settings
from mcp_server.callers import SIGNED_IN

NAME_LENGTH = 120


class Proxy:
    """Believes the proxies that the settings name, and takes such headers from anybody else's requests."""

    def __init__(self, settings: Settings) -> None:
        self._trusted = settings.trusted_proxy
        self._identity = settings.identity_header.lower()
        self._about = frozenset((b"forwarded", b"x-real-ip", self._identity.encode()))

    def read(self, scope: Scope) -> Scope:
        """The request as it was made to the proxy, without the headers that said so."""
        told: dict[str, object] = {}
        client = scope.get("client")
        if client and self._trusted and self._is_trusted(client[0]):
            told = self._told(scope, Headers(scope=scope))
        kept = [pair for pair in scope["headers"] if not self._is_about(pair[0])]
        host = told.pop("host", None)
        if host:
            kept = [(n, v) for n, v in kept if n.lower() != b"host"]
            kept.append((b"host", str(host).encode("latin-1")))
        return {**scope, **told, "headers": kept}

    def _told(self, scope: Scope, headers: Headers) -> dict[str, object]:
        told: dict[str, object] = {}
        name = self._name(headers)
        if name:
            told[SIGNED_IN] = name
        if headers.get("x-forwarded-proto") == "https":
            told["scheme"] = "wss" if scope["type"] == "websocket" else "https"
        if host := headers.get("x-forwarded-host"):
            told["host"] = host
        # The last hop that is none of ours: what stands before it, the client has written itself.
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
        origin = next((hop for hop in reversed(hops) if not self._is_trusted(hop)), "")
        if is_number(origin):
            told["client"] = (origin, 0)
        return told

    def _name(self, headers: Headers) -> str:
        """Who the proxy has signed in; empty when it says nobody, or several."""
        said = headers.getlist(self._identity) if self._identity else []
        name = said[0].strip().lower() if len(said) == 1 else ""  # as names are kept
        return name if name.isprintable() and len(name) <= NAME_LENGTH else ""

    def _is_about(self, name: bytes) -> bool:
        """Whether a header says something that only a proxy may say."""
        lower = name.lower()
        return lower in self._about or lower.startswith(b"x-forwarded-")

    def _is_trusted(self, address: str) -> bool:
        if not is_number(address):
            return False
        return any(ipaddress.ip_address(address) in network for network in self._trusted)


def is_number(text: str) -> bool:
    """Whether this is an address in figures, not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
