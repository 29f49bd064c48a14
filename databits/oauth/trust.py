"""What the settings say about the sign-in server, checked before anything is served."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from databits.actor import Role
from databits.errors import Invalid
from databits.oauth.scopes import scope_of
from databits.settings import Settings, is_loopback

PATH = "/mcp"
_PREFIX = re.compile(r"([a-z0-9][a-z0-9._+@-]{0,40})?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]*")  # RFC 6749, 3.3
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Trust:
    """A sign-in server whose tokens are taken, and how they are read."""

    issuer: str
    resource: str
    """What this server is called there; a token for anything else is refused."""
    audience: str
    keys: str | Path | None
    """Where its keys are; None: where its own description says."""
    person: str
    prefix: str
    asks: Role
    scope_prefix: str

    def scope(self, role: Role) -> str:
        """The scope of a role, as clients ask this sign-in server for it."""
        return scope_of(role, self.scope_prefix)

    def is_for_us(self, aud: object) -> bool:
        """Whether a token's `aud` names this server."""
        said = aud if isinstance(aud, list) else [aud]
        meant = canonical(self.audience)
        return any(isinstance(one, str) and canonical(one) == meant for one in said)


def trust_of(settings: Settings) -> Trust | None:
    """The sign-in server of the settings; None without one.

    Raises:
        Invalid: for what would not be safe, with the setting and what it takes.
    """
    issuer = settings.oauth_issuer
    if not issuer:
        return None
    address("oauth_issuer", issuer, local=True)
    if not _PREFIX.fullmatch(settings.oauth_prefix):
        raise Invalid(
            "DATABITS_OAUTH_PREFIX is what names begin with: small letters, digits and . _ + @ -, at most 41."
        )
    if not _SCOPE.fullmatch(settings.oauth_scope_prefix):
        raise Invalid(
            "DATABITS_OAUTH_SCOPE_PREFIX is the beginning of a scope: no spaces, no quotes."
        )
    resource = _resource(settings)
    return Trust(
        issuer,
        resource,
        settings.oauth_audience or resource,
        _keys(settings),
        settings.oauth_person,
        settings.oauth_prefix,
        settings.oauth_asks,
        settings.oauth_scope_prefix,
    )


def address(setting: str, url: str, *, local: bool) -> SplitResult:
    """The parts of a URL that secrets or trust depend on.

    Args:
        local: whether one of this machine may go without https.

    Raises:
        Invalid: for any other that is not https, and for one with more than an address in it.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    plain = parts.scheme == "http" and local and is_loopback(host)
    more = parts.query or parts.fragment or "@" in parts.netloc or re.search(r'[\s"\\]', url)
    if not host or more or not (parts.scheme == "https" or plain):
        raise Invalid(
            f"DATABITS_{setting.upper()} is a URL with https and nothing but host and path; http is for a server on "
            "this machine."
        )
    return parts


def canonical(url: str) -> str:
    """A URL as it is compared: scheme and host in small letters, no default port, no slash at the end.

    Anything else is compared as it is.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url
    if parts.scheme not in _PORTS or not host or parts.query or parts.fragment or parts.username:
        return url
    shown = f"[{host}]" if ":" in host else host
    at = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown}{at}{parts.path.removesuffix('/')}"


def _resource(settings: Settings) -> str:
    """What this server is called: never what a request's Host header says."""
    if settings.oauth_resource:
        address("oauth_resource", settings.oauth_resource, local=True)
        return canonical(settings.oauth_resource)
    here = is_loopback(settings.host)
    if not here or settings.hosts or settings.trusted_proxy:
        raise Invalid(
            "DATABITS_OAUTH_ISSUER is set, but no DATABITS_OAUTH_RESOURCE. Set it to the URL by which clients reach "
            "/mcp, as https://bits.example/mcp: tokens are taken for that name only."
        )
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{shown}:{settings.port}{PATH}"


def _keys(settings: Settings) -> str | Path | None:
    said = settings.oauth_keys
    if not said:
        return None
    if "://" in said:
        address("oauth_keys", said, local=True)
        return said
    path = Path(said).expanduser()
    if not path.is_file():
        raise Invalid(
            "DATABITS_OAUTH_KEYS is the URL of a key set (JWKS), or a file that holds one."
        )
    return path
