"""The gateway speaks Model Serving: its formats, its paths, its errors."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from databits.errors import NotReady
from databits.ports import Answer
from databits.store import Store
from tests.conftest import Desk
from ui import gateway


class Echo:
    """A serving port that answers each text with its own first word."""

    def answer(self, database: Any, endpoint: str, texts: list[str], actor: str) -> list[Answer]:
        if endpoint == "empty":
            raise NotReady("empty serves no model. deploy_model gives it one.")
        return [
            Answer(f"req_{n}", text.split()[0], 0.5, "support@1", 1.0)
            for n, text in enumerate(texts)
        ]


@pytest.fixture
def endpoint(labelled: Desk) -> Desk:
    """An endpoint in the registry, with an answer for everything."""
    labelled("assemble_dataset", databit="support")

    def write(store: Store) -> None:
        store.tx.begin_change("deploy_model", "ana", "test")
        dataset = store.datasets.raw("support@1")
        model = store.models.add(
            "support",
            1,
            dataset.id,
            "classifier-head",
            ["billing", "login"],
            "models:/x",
            "run",
            None,
        )
        store.endpoints.route_all("support", model)
        store.tx.end_change()

    labelled.workbench.database.write(write)
    labelled.workbench.serving = Echo()  # type: ignore[assignment]
    return labelled


BODIES: list[dict[str, Any]] = [
    {"dataframe_records": [{"text": "billing please"}]},
    {"dataframe_split": {"columns": ["id", "text"], "data": [[1, "billing please"]]}},
    {"instances": ["billing please"]},
    {"instances": [{"text": "billing please"}]},
    {"inputs": ["billing please"]},
    {"inputs": "billing please"},
    {"inputs": {"text": ["billing please"]}},
]


@pytest.mark.parametrize("body", BODIES)
def test_every_format_of_model_serving_is_answered(
    endpoint: Desk, client: TestClient, body: dict[str, Any]
) -> None:
    answer = client.post("/serving-endpoints/support/invocations", json=body)
    assert answer.status_code == 200
    assert answer.json() == {
        "predictions": [{"label": "billing", "confidence": 0.5, "request_id": "req_0"}]
    }
    assert answer.headers["databricks-request-id"]


@pytest.mark.parametrize("body", ["{}", "not json", "[1]", '{"inputs": [7]}', "[" * 100_000])
def test_a_wrong_body_is_told_the_right_ones(endpoint: Desk, client: TestClient, body: str) -> None:
    answer = client.post("/serving-endpoints/support/invocations", content=body)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_a_body_is_not_read_beyond_its_limit(endpoint: Desk, client: TestClient) -> None:
    answer = client.post(
        "/serving-endpoints/support/invocations", content=b" " * (gateway.BODY_LIMIT + 1)
    )
    assert answer.status_code == 413
    assert "16 MB" in answer.json()["message"]


def test_an_unknown_endpoint_is_not_found(client: TestClient) -> None:
    answer = client.post("/serving-endpoints/nope/invocations", json={"inputs": ["a"]})
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert client.get("/api/2.0/serving-endpoints/nope").status_code == 404


def test_an_endpoint_without_a_model_is_unavailable(endpoint: Desk, client: TestClient) -> None:
    answer = client.post("/serving-endpoints/empty/invocations", json={"inputs": ["a"]})
    assert answer.status_code == 503
    assert answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"


def test_a_crash_shows_no_trace(
    endpoint: Desk, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(endpoint.workbench.serving, "answer", crash)
    answer = client.post("/serving-endpoints/support/invocations", json={"inputs": ["a"]})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["error_code"] == "INTERNAL_ERROR"


def test_endpoints_are_described_as_the_sdk_reads_them(endpoint: Desk, client: TestClient) -> None:
    serving = pytest.importorskip("databricks.sdk.service.serving")
    listed = serving.ListEndpointsResponse.from_dict(
        client.get("/api/2.0/serving-endpoints").json()
    )
    [one] = listed.endpoints
    assert one.name == "support"
    assert one.state.ready.value == "READY"
    detail = serving.ServingEndpointDetailed.from_dict(
        client.get("/api/2.0/serving-endpoints/support").json()
    )
    [entity] = detail.config.served_entities
    assert (entity.entity_name, entity.entity_version) == ("support", "1")


@pytest.mark.slow
def test_the_sdk_of_a_workspace_talks_to_it(endpoint: Desk) -> None:
    sdk = pytest.importorskip("databricks.sdk")
    from tests.ui.conftest import Served

    with Served(endpoint.workbench) as served:
        workspace = sdk.WorkspaceClient(host=served.url, token="none-is-needed")
        assert [e.name for e in workspace.serving_endpoints.list()] == ["support"]
        answer = workspace.serving_endpoints.query(
            "support", dataframe_records=[{"text": "login no"}]
        )
        assert answer.predictions[0]["label"] == "login"
