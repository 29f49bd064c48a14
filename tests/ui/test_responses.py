"""The assistant over HTTP, for programs."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.accounts import add_account, add_token
from tests.conftest import Desk
from tests.ui.conftest import ORIGIN, Served


def test_a_body_that_is_no_request_is_told_what_one_is(app: FastAPI) -> None:
    client = TestClient(app, base_url=ORIGIN)
    for body in ("nonsense", "[]", "{}", '{"input": 7}'):
        answer = client.post("/responses", content=body)
        assert answer.status_code == 400, body
        assert '"input"' in answer.json()["error"]["message"]


def test_without_the_assistant_it_is_unavailable(app: FastAPI) -> None:
    answer = TestClient(app, base_url=ORIGIN).post("/invocations", json={"input": "hello"})
    assert answer.status_code == 503


@pytest.mark.slow
def test_the_openai_client_talks_to_it_and_can_approve_nothing(queued: Desk) -> None:
    openai = pytest.importorskip("openai")
    with Served(queued.workbench) as served:
        client = openai.OpenAI(base_url=served.url, api_key="none-is-needed")
        listed = client.responses.create(model="databits", input="list databits")
        assert "support" in listed.output_text
        streamed = client.responses.create(model="databits", input="list databits", stream=True)
        kinds = [event.type for event in streamed]
        assert "response.output_text.delta" in kinds
        assert kinds[-1] == "response.completed"
        plan = client.responses.create(
            model="databits",
            input="reject everything in support that contains invoice",
            extra_body={"custom_inputs": {"thread_id": "t1"}},
        )
        [asked] = [item for item in plan.output if item.type == "mcp_approval_request"]
        client.responses.create(
            model="databits",
            input=[
                {
                    "type": "mcp_approval_response",
                    "approval_request_id": asked.id,
                    "approve": True,
                }
            ],
            extra_body={"custom_inputs": {"thread_id": "t1"}},
        )
    assert queued("list_items", databit="support", state="rejected").total == 0
    events = queued("search_audit", limit=50).rows
    assert not [e for e in events if e.operation == "decide_approval" and e.outcome == "ok"]


@pytest.mark.slow
def test_with_tokens_each_asks_in_their_own_name_and_in_threads_of_their_own(queued: Desk) -> None:
    workbench = queued.workbench
    add_account(workbench, "bea", "engineer")
    add_account(workbench, "carl", "viewer")
    bea, carl = add_token(workbench, "bea"), add_token(workbench, "carl")
    curate = add_token(workbench, "bea", toolsets=["curate"])
    with Served(workbench) as served:

        def ask(secret: str, text: str) -> httpx.Response:
            body = {"input": text, "custom_inputs": {"thread_id": "t1"}}
            headers = {"Authorization": f"Bearer {secret}"}
            return httpx.post(f"{served.url}/responses", json=body, headers=headers, timeout=240)

        assert (
            httpx.post(f"{served.url}/responses", json={"input": "hi"}, timeout=240).status_code
            == 401
        )
        create = "create a databit called {} with the labels a and b"
        made = ask(bea, create.format("beas"))
        assert made.json()["custom_outputs"]["thread_id"] == "t1"
        refused = ask(carl, create.format("carls"))
        assert "needs the role" in refused.text
        outside = ask(curate, create.format("narrow"))
        assert "toolsets" in outside.text
        # Only in her own conversation is it known what `it` is.
        it = "which labels does it have"
        assert ask(bea, it).json()["custom_outputs"]["suggestions"] != ["support", "beas"]
        assert ask(carl, it).json()["custom_outputs"]["suggestions"] == ["support", "beas"]
    changes = queued("list_changes", operation="create_databit").rows
    assert {c.actor for c in changes} == {"ana", "bea"}
