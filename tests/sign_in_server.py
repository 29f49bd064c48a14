"""A team's sign-in server on a port of this machine: real keys, real HTTP, the MCP SDK's own OAuth endpoints."""

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from mcp.server.auth.provider import AuthorizationCode, AuthorizationParams
from mcp.server.auth.routes import build_metadata, create_auth_routes
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from databits.actor import Role
from databits.workbench import Workbench
from tests.accounts import run

MINUTES_5 = 300


@dataclass
class SigningKey:
    """A private key and what it is called."""

    kid: str
    private: Any
    algorithm: str

    @classmethod
    def new(cls, kid: str, algorithm: str = "ES256") -> "SigningKey":
        if algorithm.startswith("ES"):
            return cls(kid, ec.generate_private_key(ec.SECP256R1()), algorithm)
        return cls(kid, rsa.generate_private_key(65537, 2048), algorithm)

    @property
    def jwk(self) -> dict[str, Any]:
        made = jwt.get_algorithm_by_name(self.algorithm).to_jwk(
            self.private.public_key(), as_dict=True
        )
        return {**made, "kid": self.kid, "use": "sig", "alg": self.algorithm}


@dataclass
class SignInServer:
    """The server; `lena` is who sits at every browser."""

    resource: str = "http://127.0.0.1:8765/mcp"
    person: str = "lena"
    answers: bool = True
    """False: it fails, as in an outage."""
    description: str = "oauth-authorization-server"
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey.new("first")])
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""
    authorized: list[AuthorizationParams] = field(default_factory=list)
    url: str = ""
    _codes: dict[str, AuthorizationCode] = field(default_factory=dict)
    _clients: dict[str, OAuthClientInformationFull] = field(default_factory=dict)

    # tokens -------------------------------------------------------------------------------

    def token(
        self,
        *scopes: str,
        key: SigningKey | None = None,
        header: dict[str, Any] | None = None,
        without: Sequence[str] = (),
        **claims: Any,
    ) -> str:
        """A signed access token; `claims` and `header` go before what is usual."""
        key = key or self.keys[-1]
        moment = int(time.time())
        said = {
            "iss": self.url,
            "aud": self.resource,
            "sub": self.person,
            "client_id": "the-editor",
            "scope": " ".join(scopes),
            "iat": moment,
            "exp": moment + MINUTES_5,
            "auth_time": moment,
            "jti": secrets.token_hex(8),
            **claims,
        }
        kept = {name: value for name, value in said.items() if name not in without}
        headers = {"typ": "at+jwt", "kid": key.kid, **(header or {})}
        return jwt.encode(kept, key.private, key.algorithm, headers=headers)

    def rotate(self, *, keep: bool = True) -> SigningKey:
        """Sign with a new key from now on."""
        new = SigningKey.new(secrets.token_hex(4))
        self.keys = [*(self.keys if keep else []), new]
        return new

    def keys_asked(self) -> int:
        return self.asked.count("/keys")

    # what the SDK's endpoints ask for -----------------------------------------------------

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        found = self._clients.get(client_id)
        # Which scopes a client may ask for is the server's decision, and here it is: any.
        return found and found.model_copy(update={"scope": " ".join(self._scopes())})

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id is not None
        self._clients[client_info.client_id] = client_info

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        self.authorized.append(params)
        code = secrets.token_urlsafe(32)
        self._codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=str(client.client_id),
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        back = {"code": code, "state": params.state or "", "iss": self.url}
        return f"{params.redirect_uri}?{urlencode(back)}"

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self._codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self._codes[authorization_code.code]
        secret = self.token(
            *authorization_code.scopes, client_id=client.client_id, aud=authorization_code.resource
        )
        scope = " ".join(authorization_code.scopes)
        return OAuthToken(access_token=secret, expires_in=MINUTES_5, scope=scope)

    # serving ------------------------------------------------------------------------------

    def __enter__(self) -> "SignInServer":
        config = uvicorn.Config(
            self._app, port=0, log_level="error", lifespan="off", interface="asgi3"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        until = time.monotonic() + 30
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._routes = Starlette(routes=self._own_routes())
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=30)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        if self.answers:
            await self._routes(scope, receive, send)
        else:
            await Response(status_code=503)(scope, receive, send)

    def _own_routes(self) -> list[Route]:
        issuer = AnyHttpUrl(self.url)
        registering = ClientRegistrationOptions(enabled=True, valid_scopes=self._scopes())

        async def describe(request: Request) -> Response:
            if request.path_params["kind"] != self.description:
                return Response(status_code=404)
            made = build_metadata(issuer, None, registering, RevocationOptions())
            said = made.model_dump(mode="json", exclude_none=True)
            return JSONResponse({**said, "issuer": self.url, "jwks_uri": f"{self.url}/keys"})

        async def keys(request: Request) -> Response:
            return JSONResponse({"keys": [key.jwk for key in self.keys]})

        async def elsewhere(request: Request) -> Response:
            return RedirectResponse("/keys")

        theirs = create_auth_routes(self, issuer, client_registration_options=registering)  # type: ignore[arg-type]
        return [
            Route("/.well-known/{kind}", describe),
            Route("/keys", keys),
            Route("/moved", elsewhere),
            *theirs,
        ]

    def _scopes(self) -> list[str]:
        return [f"databits:{r}" for r in ("viewer", "labeler", "reviewer", "engineer", "admin")]


RSA = SigningKey.new("rsa", "RS256")


def trust(workbench: Workbench, theirs: SignInServer, **settings: Any) -> Workbench:
    # Where others come in, files are imported from named folders only.
    roots = [workbench.settings.home.parent]
    ours = {"oauth_issuer": theirs.url, "oauth_resource": theirs.resource, "roots": roots}
    chosen = {**ours, **settings}
    workbench.settings = workbench.settings.model_copy(update=chosen)
    workbench.__dict__.pop("tokens", None)
    add(workbench, "sso+lena", "engineer")
    return workbench


def add(workbench: Workbench, name: str, role: Role | None) -> None:
    if name not in [person.name for person in run(workbench, "list_people").rows]:
        run(workbench, "add_person", person=name, role=role)
