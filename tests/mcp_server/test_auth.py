"""Who a request comes from."""

import getpass
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from mcp.types import Implementation

from databits import identity
from databits.errors import NotAllowed
from databits.settings import Settings
from databits.store.tables import audit
from databits.workbench import Workbench
from mcp_server.auth import CLIENT_LENGTH, client_of, identify_local, local_actor
from tests.conftest import Desk
from tests.mcp_server.conftest import Connect


def _context(name: str, version: str = "1") -> Any:
    params = SimpleNamespace(client_info=Implementation(name=name, version=version))
    return _request(params, "2026-07-28")


def _request(params: Any, version: str) -> Any:
    session = SimpleNamespace(client_params=params)
    return SimpleNamespace(
        request_context=SimpleNamespace(session=session, protocol_version=version)
    )


def test_the_settings_name_the_user_and_the_role() -> None:
    actor = local_actor(Settings(user="ana", role="reviewer"), "command")
    assert (actor.name, actor.role, actor.surface, actor.person) == (
        "ana",
        "reviewer",
        "command",
        False,
    )


def test_a_grant_does_not_raise_a_server_that_was_started_as_a_viewer(queued: Desk) -> None:
    queued("add_person", person="lena", role="engineer")
    settings = queued.workbench.settings.model_copy(update={"role": "viewer", "user": "lena"})
    editor = identify_local(settings)(None)
    with pytest.raises(NotAllowed, match="you are viewer"):
        queued.workbench.run("claim_items", {"databit": "support"}, editor)
    signed_in = replace(editor, limit="admin")
    assert queued.workbench.run("claim_items", {"databit": "support"}, signed_in)


def test_without_a_name_it_is_the_operating_systems_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_actor(Settings(user=""), "mcp").name == getpass.getuser()

    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    identity._os_user.cache_clear()
    try:
        assert local_actor(Settings(user=""), "mcp").name.startswith("uid-")
    finally:
        identity._os_user.cache_clear()


def test_the_client_is_named_as_it_names_itself_in_one_printable_line() -> None:
    assert client_of(_context("claude-code", "2.1.330")) == ("claude-code 2.1.330 (mcp 2026-07-28)")
    assert client_of(_context("evil\n\x1b[31m name")) == "evil [31m name 1 (mcp 2026-07-28)"
    long = client_of(_context("x" * 500))
    assert long == f"{'x' * CLIENT_LENGTH} (mcp 2026-07-28)"
    assert len(long) <= audit.c.client.type.length  # type: ignore[attr-defined]


def test_a_client_may_leave_its_name_out() -> None:
    nameless = _request(None, "2025-11-25")
    identify = identify_local(Settings(user="ana"))
    assert identify(nameless).client == "(mcp 2025-11-25)"
    assert identify(None).client == ""


@pytest.mark.anyio
async def test_the_audit_trail_says_which_client_spoke_which_protocol(
    workbench: Workbench, connect: Connect, era: str
) -> None:
    async with connect(era, name="inspector") as client:
        await client.call_tool("create_databit", {"name": "mail", "labels": ["a", "b"]})
        spoken = client.protocol_version
    (event,) = workbench.database.read(lambda store: list(store.audit.events()))
    assert event.client == f"inspector 7 (mcp {spoken})"
    assert spoken == ("2026-07-28" if era == "2026-07-28" else "2025-11-25")
