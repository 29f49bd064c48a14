"""The settings of a sign-in server, and how `/mcp` describes itself by them."""

from typing import Any

import pytest

from databits.errors import Invalid
from databits.oauth.tokens import tokens_of
from databits.settings import Settings
from databits.workbench import Workbench
from mcp_server.http import http_app
from tests.mcp_server.test_callers import bearer
from tests.mcp_server.test_http import ACCEPTS, PING, served
from tests.mcp_server.trusting import ENGINEER, VIEWER, asked, call
from tests.sign_in_server import SignInServer, trust

pytestmark = pytest.mark.anyio


async def test_the_resource_says_whose_tokens_it_takes_whatever_the_request_calls_it(
    workbench: Workbench, theirs: SignInServer
) -> None:
    trusting = trust(workbench, theirs, oauth_resource="https://Bits.example:443/team/mcp/")
    async with served(trusting, stateless=True, hosts=None) as http:
        refused = await http.post("/mcp", json=PING, headers=ACCEPTS | {"host": "evil.example"})
        named = "https://bits.example/.well-known/oauth-protected-resource/team/mcp"
        assert f'resource_metadata="{named}"' in refused.headers["www-authenticate"]
        for path in ("", "/mcp", "/team/mcp"):
            found = await http.get(
                f"/.well-known/oauth-protected-resource{path}", headers={"host": "evil.example"}
            )
            described = found.json()
            assert described["resource"] == "https://bits.example/team/mcp"
            assert described["authorization_servers"] == [theirs.url]
            assert described["scopes_supported"] == [VIEWER]
        forged = theirs.token(VIEWER, aud="http://evil.example/mcp")
        answer = await http.post(
            "/mcp", json=PING, headers=ACCEPTS | bearer(forged) | {"host": "evil.example"}
        )
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"oauth_issuer": "http://id.example"}, "OAUTH_ISSUER is a URL with https"),
        ({"oauth_issuer": "id.example"}, "OAUTH_ISSUER is a URL with https"),
        ({"oauth_issuer": "https://a:b@id.example"}, "OAUTH_ISSUER is a URL"),
        ({"oauth_issuer": "https://id.example?x=1"}, "OAUTH_ISSUER is a URL"),
        ({"oauth_issuer": "https://[x"}, "OAUTH_ISSUER is a URL"),
        ({"oauth_resource": "http://bits.example/mcp"}, "OAUTH_RESOURCE is a URL"),
        ({"oauth_keys": "http://id.example/keys"}, "OAUTH_KEYS is a URL"),
        ({"oauth_keys": "/no/such/file"}, "OAUTH_KEYS is the URL of a key set"),
        ({"oauth_prefix": "SSO "}, "OAUTH_PREFIX"),
        ({"oauth_scope_prefix": 'x" '}, "OAUTH_SCOPE_PREFIX"),
        ({"host": "0.0.0.0"}, "no DATABITS_OAUTH_RESOURCE"),
        ({"hosts": ["bits.example"]}, "no DATABITS_OAUTH_RESOURCE"),
    ],
    ids=str,
)
def test_settings_that_would_not_be_safe_are_refused_before_anything_is_served(
    workbench: Workbench, chosen: dict[str, Any], words: str
) -> None:
    settings = Settings(**{"oauth_issuer": "https://id.example", **chosen})
    with pytest.raises(Invalid, match=words):
        tokens_of(settings)
    workbench.settings = settings
    with pytest.raises(Invalid, match=words):
        http_app(workbench, settings)


def test_on_this_machine_alone_the_resource_is_the_address_of_the_server() -> None:
    found = tokens_of(Settings(oauth_issuer="https://id.example", port=9000))
    assert found is not None
    assert found.trust.resource == "http://127.0.0.1:9000/mcp"
    assert tokens_of(Settings()) is None


async def test_where_a_token_can_not_name_a_url_it_names_what_the_setting_says(
    workbench: Workbench, theirs: SignInServer
) -> None:
    trusting = trust(workbench, theirs, oauth_audience="6e74172b-be56-4843-9ff4-e66a39bb12e3")
    for audience, status in (
        ("6e74172b-be56-4843-9ff4-e66a39bb12e3", 200),
        (theirs.resource, 401),
        ("6E74172B-BE56-4843-9FF4-E66A39BB12E3", 401),
    ):
        answer = await asked(trusting, theirs.token(VIEWER, aud=audience))
        assert answer.status_code == status, audience


async def test_scopes_are_asked_for_as_the_sign_in_server_wants_them(
    workbench: Workbench, theirs: SignInServer
) -> None:
    trusting = trust(workbench, theirs, oauth_scope_prefix="api://bits/")
    said = call("assemble_dataset", databit="support")
    for scope in (VIEWER, f"api://bits/{VIEWER}"):
        answer = await asked(trusting, theirs.token(scope), said)
        assert answer.status_code == 403
        assert f'scope="api://bits/{ENGINEER}"' in answer.headers["www-authenticate"]
    assert (await asked(trusting, theirs.token(f"api://other/{VIEWER}"))).status_code == 403


async def test_keys_can_be_where_the_settings_say(
    workbench: Workbench, theirs: SignInServer
) -> None:
    trusting = trust(workbench, theirs, oauth_keys=f"{theirs.url}/keys")
    assert (await asked(trusting, theirs.token(VIEWER))).status_code == 200
    assert theirs.asked == ["/keys"]
