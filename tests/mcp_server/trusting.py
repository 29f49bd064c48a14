"""What tests of a team's own sign-in server at `/mcp` share: the server that trusts it, requests, what is on record."""

from typing import Any

import httpx2
import pytest

from databits.store.tables import audit
from databits.workbench import Workbench
from tests.mcp_server.test_callers import bearer, rows
from tests.mcp_server.test_http import ACCEPTS, HOME, PING, served

ERAS = pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
DESCRIBED = f"{HOME}/.well-known/oauth-protected-resource/mcp"
VIEWER, LABELER, REVIEWER, ENGINEER = (
    f"databits:{role}" for role in ("viewer", "labeler", "reviewer", "engineer")
)


async def asked(workbench: Workbench, secret: str, body: Any = PING) -> httpx2.Response:
    async with served(workbench, stateless=True) as http:
        return await http.post("/mcp", json=body, headers=ACCEPTS | bearer(secret))


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


def events(workbench: Workbench, operation: str) -> list[Any]:
    return [row for row in rows(workbench, audit) if row.operation == operation]
