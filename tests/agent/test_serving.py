"""The assistant as an MLflow ResponsesAgent."""

import json
from collections.abc import Iterator
from typing import Any

import mlflow
import pytest
from mlflow.types.responses import ResponsesAgentRequest

from agent.serving import WorkbenchAgent
from databits.actor import Actor
from databits.platforms.embedded import Embedded
from mcp_server.server import build_server
from tests.agent.talk import ANN
from tests.conftest import Desk

pytestmark = pytest.mark.slow
SERVICE = Actor("service", "admin", "http", client="databits-agent")


@pytest.fixture
def served(
    workbench: Embedded, queued: Desk, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WorkbenchAgent]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workbench.settings.tracking_uri)
    monkeypatch.setenv("MLFLOW_TRACE_SAMPLING_RATIO", "1")
    monkeypatch.setenv("MLFLOW_TRACE_PROPAGATE_TO_OTEL_CONTEXT", "")  # so that it is put back
    monkeypatch.delenv("MLFLOW_TRACE_PROPAGATE_TO_OTEL_CONTEXT")
    mlflow.tracing.disable()
    agent = WorkbenchAgent(
        workbench.settings, build_server(workbench, lambda _: SERVICE, relay=True)
    )
    yield agent
    agent.host.close()
    mlflow.tracing.enable()


def ask(text: str) -> ResponsesAgentRequest:
    return request({"role": "user", "content": text})


def request(*items: dict[str, Any]) -> ResponsesAgentRequest:
    return ResponsesAgentRequest(
        input=list(items), context={"conversation_id": "c1", "user_id": "ann@example.com"}
    )


def items(agent: WorkbenchAgent, asked: ResponsesAgentRequest) -> list[dict[str, Any]]:
    return [item.model_dump() for item in agent.predict(asked).output]


def test_a_turn_is_told_in_items_of_the_responses_api(served: WorkbenchAgent) -> None:
    answer = served.predict(ask("how far is support"))
    kinds = [item.type for item in answer.output]
    assert kinds == ["function_call", "function_call_output", "message"]
    told = answer.output[-1].model_dump()["content"][0]["text"]
    assert "open: 18" in told
    assert answer.custom_outputs is not None
    assert answer.custom_outputs["thread_id"] == "c1"


def test_a_stream_gives_pieces_of_text_and_then_the_whole(served: WorkbenchAgent) -> None:
    events = [event.model_dump() for event in served.predict_stream(ask("hello"))]
    deltas = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    done = next(e["item"] for e in events if e["type"] == "response.output_item.done")
    assert deltas == done["content"][0]["text"]
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["custom_outputs"]["suggestions"]


def test_an_approval_goes_out_and_its_response_goes_on(
    served: WorkbenchAgent, workbench: Embedded
) -> None:
    asked = items(served, ask("reject everything in support"))[-1]
    assert asked["type"] == "mcp_approval_request"
    assert json.loads(asked["arguments"])["verdict"] == "reject"
    yes = {
        "type": "mcp_approval_response",
        "id": "r1",
        "approval_request_id": asked["id"],
        "approve": True,
    }
    plan = {"plan": asked["plan"]["id"], "approve": True}
    workbench.run("decide_approval", plan, ANN.through("review", person=True))
    assert "18 decided" in items(served, request(yes))[-1]["content"][0]["text"]
    with pytest.raises(mlflow.MlflowException, match="no longer open"):
        served.predict(request(yes))


def test_a_yes_that_nobody_vouches_for_approves_nothing(served: WorkbenchAgent) -> None:
    asked = items(served, ask("reject everything in support"))[-1]
    yes = {
        "type": "mcp_approval_response",
        "id": "r1",
        "approval_request_id": asked["id"],
        "approve": True,
    }
    told = items(served, request(yes))[-1]["content"][0]["text"]
    assert "has not been approved" in told


def test_what_a_turn_does_is_on_record_with_its_trace(
    served: WorkbenchAgent, workbench: Embedded
) -> None:
    mlflow.tracing.enable()
    served.predict(ask("reject everything in support"))
    told = mlflow.get_last_active_trace_id()
    assert told is not None
    events = workbench.database.read(lambda store: list(store.audit.events()))
    assert [event.trace_id for event in events if event.operation == "bulk_label"] == [
        told.removeprefix("tr-")
    ]
