"""The assistant over HTTP, for programs."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

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
@pytest.mark.timeout(120)
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
