"""Consent is a person's: no argument, no service and no author under four eyes can give it."""

from typing import Any

import pytest
from mcp import Client
from mcp.types import ElicitRequestFormParams, ElicitResult

from databits.actor import Actor
from databits.identity import bearer
from databits.workbench import Workbench
from mcp_server.auth import local_actor
from mcp_server.server import build_server
from tests.mcp_server.conftest import Connect, Grow

pytestmark = pytest.mark.anyio
LABEL_ALL = {"databit": "support", "verdict": "label", "to": "bug"}
CLAIMS: list[dict[str, Any]] = [
    {"confirm": True},
    {"approve": True},
    {"approved_by": "ana"},
    {"_meta": {"approved": True}},
    {"digest": "0" * 64},
    {"plan": 1, "approve": True},
]


def yes(_: ElicitRequestFormParams) -> ElicitResult:
    return ElicitResult(action="accept", content={"approve": True})


def states(workbench: Workbench) -> list[str]:
    found = workbench.database.read(lambda store: store.plans.page(None, 0, 50))
    return [plan.state for plan in found]


def undecided(workbench: Workbench) -> int:
    me = local_actor(workbench.settings, "test")
    return int(workbench.run("queue_status", {"databit": "support"}, me).open)  # type: ignore[attr-defined]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: ", ".join(claim))
async def test_an_argument_that_claims_consent_has_no_effect(
    workbench: Workbench, connect: Connect, grow: Grow, era: str, claim: dict[str, Any]
) -> None:
    grow(3)
    async with connect(era) as client:
        first = await client.call_tool("bulk_label", LABEL_ALL)
        assert not first.is_error
        claimed = await client.call_tool("bulk_label", {**LABEL_ALL, **claim})
        assert claimed.is_error
        again = await client.call_tool("bulk_label", LABEL_ALL)
    assert again.structured_content is not None
    assert again.structured_content["plan"]["state"] == "pending"
    assert (undecided(workbench), states(workbench)) == (3, ["pending"])


async def test_approving_is_no_tool_whatever_it_is_called(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(3)
    async with connect(era) as client:
        await client.call_tool("bulk_label", LABEL_ALL)
        for name in ("decide_approval", "set_policy", "grant_role", "create_token", "approve"):
            said = {"plan": 1, "approve": True, "confirm": True}
            answered = await client.call_tool(name, said)
            assert answered.is_error
            assert "Unknown tool" in answered.content[0].text  # type: ignore[union-attr]
    assert (undecided(workbench), states(workbench)) == (3, ["pending"])


async def test_a_service_that_answers_yes_has_approved_nothing(
    workbench: Workbench, grow: Grow, era: str
) -> None:
    grow(3)
    ana = Actor("ana", "admin", "test", person=True)
    workbench.run("add_person", {"person": "builder", "role": "admin"}, ana)
    token = workbench.run("create_token", {"name": "ci", "person": "builder", "role": "admin"}, ana)
    secret = token.secret  # type: ignore[attr-defined]

    async def answer(_: Any, params: ElicitRequestFormParams) -> ElicitResult:
        return yes(params)

    server = build_server(workbench, lambda _: bearer(workbench, secret, "mcp")[0])
    async with Client(server, mode=era, elicitation_callback=answer) as client:
        found = await client.call_tool("bulk_label", LABEL_ALL)
    assert found.is_error
    assert "for people" in str(found.content)
    assert (undecided(workbench), states(workbench)) == (3, ["pending"])


async def test_under_four_eyes_the_one_who_asked_answers_yes_in_vain(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(3)
    ana = Actor("ana", "admin", "test", person=True)
    workbench.run("set_policy", {"kind": "four_eyes", "subject": "bulk_label"}, ana)
    async with connect(era, yes) as client:
        found = await client.call_tool("bulk_label", LABEL_ALL)
        assert found.is_error
        assert "somebody else approves it" in str(found.content)
        assert (undecided(workbench), states(workbench)) == (3, ["pending"])
        ben = Actor("ben", "reviewer", "test", person=True)
        workbench.run("decide_approval", {"plan": 1, "approve": True}, ben)
        done = await client.call_tool("bulk_label", LABEL_ALL)
    assert not done.is_error
    assert undecided(workbench) == 0
