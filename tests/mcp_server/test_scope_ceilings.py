"""A law: what a token of the sign-in server may do is the lower of its scopes and of its person's grants."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databits.actor import ROLES, Actor, Role
from databits.errors import DatabitsError, NotAllowed, NotFound
from databits.oauth.scopes import ceiling, scope_of, scopes_in
from databits.workbench import Workbench
from mcp_server.callers import callers_of
from tests.accounts import run
from tests.mcp_server.conftest import Grow
from tests.sign_in_server import SignInServer

SCOPES = [f"databits:{role}" for role in ROLES]
NOISE = ["openid", "profile", "databits:root", "databits:", "xdatabits:admin", "DATABITS:ADMIN"]
# One of each role, about the Databit `support`; what it needs is there.
CALLS: dict[Role, tuple[str, dict[str, Any]]] = {
    "viewer": ("get_databit", {"databit": "support"}),
    "labeler": ("list_items", {"databit": "support"}),
    "reviewer": ("queue_items", {"databit": "support"}),
    "engineer": ("assemble_dataset", {"databit": "support"}),
}
maybe = st.none() | st.sampled_from(ROLES)


@pytest.fixture
def theirs(workbench: Workbench, grow: Grow, tmp_path: Any) -> Iterator[SignInServer]:
    grow(1)
    run(workbench, "add_person", person="sso+lena")
    with SignInServer() as server:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps({"keys": [key.jwk for key in server.keys]}))
        chosen = {
            "oauth_issuer": server.url,
            "oauth_resource": server.resource,
            "oauth_keys": str(file),
        }
        workbench.settings = workbench.settings.model_copy(update=chosen)
        yield server


def give(workbench: Workbench, role: Role | None, databit: str | None) -> None:
    there = {"person": "sso+lena", "databit": databit}
    if role is not None:
        run(workbench, "grant_role", role=role, **there)
    else:
        with suppress(NotFound):  # there was none
            run(workbench, "revoke_role", **there)


def refusal(workbench: Workbench, name: str, arguments: Any, actor: Actor) -> str | None:
    """How the role stood in the way of a call; None when it did not."""
    try:
        workbench.run(name, arguments, actor)
    except NotAllowed as error:
        return str(error)
    except DatabitsError:
        pass
    return None


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    scopes=st.lists(st.sampled_from([*SCOPES, *NOISE]), max_size=5),
    in_workspace=maybe,
    on_databit=maybe,
)
def test_the_lower_of_scopes_and_grants_counts(
    workbench: Workbench,
    theirs: SignInServer,
    scopes: list[str],
    in_workspace: Role | None,
    on_databit: Role | None,
) -> None:
    give(workbench, in_workspace, None)
    give(workbench, on_databit, "support")
    header = (b"authorization", f"Bearer {theirs.token(*scopes)}".encode())
    request = {"type": "http", "headers": [header]}
    named = [role for role in ROLES if f"databits:{role}" in scopes]
    if not named:
        with pytest.raises(NotAllowed, match="no scope of ours"):
            callers_of(workbench).of(request, "mcp")
        return
    caller = callers_of(workbench).of(request, "mcp")
    granted = on_databit or in_workspace or "viewer"
    counts = min(ROLES.index(named[-1]), ROLES.index(granted))
    for role, (name, arguments) in CALLS.items():
        told = refusal(workbench, name, arguments, caller.actor)
        assert (told is None) == (ROLES.index(role) <= counts), (name, told)
    best = max([in_workspace or "viewer", on_databit or "viewer"], key=ROLES.index)
    assert caller.up_to == best, "scopes do not lower what could be asked for"


@given(roles=st.sets(st.sampled_from(ROLES), min_size=1), before=st.sampled_from(["", "api://x/"]))
def test_more_scopes_are_never_less(roles: set[Role], before: str) -> None:
    scopes = [scope_of(role, before) for role in roles]
    found = ceiling(scopes, before)
    assert found is not None
    for further in SCOPES:
        more = ceiling([*scopes, further], before)
        assert more is not None
        assert ROLES.index(more) >= ROLES.index(found)


def test_scopes_are_read_as_servers_write_them() -> None:
    assert scopes_in({"scope": "a  b"}) == ("a", "b")
    assert scopes_in({"scp": "a b"}) == scopes_in({"scp": ["a", "b", 7]}) == ("a", "b")
    assert scopes_in({"scope": 7}) == scopes_in({}) == scopes_in({"scope": {"a": 1}}) == ()
