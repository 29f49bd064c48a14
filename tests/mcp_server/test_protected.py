"""What an OAuth client finds when it asks how to come in."""

import re

import pytest

from databits.workbench import Workbench
from tests.accounts import add_account
from tests.mcp_server.test_http import ACCEPTS, HOME, PING, served

pytestmark = pytest.mark.anyio
WHERE = "/.well-known/oauth-protected-resource"


async def test_a_refusal_names_the_metadata_and_the_metadata_names_the_resource(
    workbench: Workbench,
) -> None:
    add_account(workbench, "bea")
    async with served(workbench, stateless=True) as http:
        for headers in ({}, {"authorization": "Bearer dbw_made-up"}):
            refused = await http.post("/mcp", json=PING, headers=ACCEPTS | headers)
            assert refused.status_code == 401
            challenge = refused.headers["www-authenticate"]
            assert ('error="invalid_token"' in challenge) == bool(headers)
            named = re.search('resource_metadata="([^"]+)"', challenge)
            assert named is not None
            assert named[1] == f"{HOME}{WHERE}/mcp"
        for path in (named[1], f"{HOME}{WHERE}"):
            found = await http.get(path)
            assert found.status_code == 200
            assert found.headers["access-control-allow-origin"] == "*"
            described = found.json()
            assert described["resource"] == f"{HOME}/mcp"
            assert described["bearer_methods_supported"] == ["header"]
            assert "authorization_servers" not in described, "there is none"


async def test_a_name_that_could_not_stand_in_a_header_is_left_out(workbench: Workbench) -> None:
    add_account(workbench, "bea")
    forged = {"host": 'a"b, error="x'}
    async with served(workbench, stateless=True, hosts=None) as http:
        refused = await http.post("/mcp", json=PING, headers=ACCEPTS | forged)
    assert refused.status_code == 401
    assert 'error="x' not in refused.headers["www-authenticate"]
