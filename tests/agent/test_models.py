import importlib.util
from pathlib import Path

import httpx
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.models import chat_model
from databits.errors import Invalid, Unavailable
from databits.platforms.databricks.auth import WorkspaceAuth
from databits.settings import Settings


def settings(tmp_path: Path, **said: object) -> Settings:
    return Settings(home=tmp_path, **said)  # type: ignore[arg-type]


def test_no_model_means_the_planner(tmp_path: Path) -> None:
    assert chat_model(settings(tmp_path)) is None


def test_any_server_of_the_openai_protocol_is_reached_by_its_url(tmp_path: Path) -> None:
    model = chat_model(
        settings(tmp_path, model="openai:llama3", model_url="http://127.0.0.1:11434/v1")
    )
    assert isinstance(model, ChatOpenAI)
    assert model.openai_api_base == "http://127.0.0.1:11434/v1"
    assert model.use_responses_api is False


def test_a_key_stays_secret(tmp_path: Path) -> None:
    model = chat_model(settings(tmp_path, model="openai:gpt", model_key=SecretStr("sk-1")))
    assert "sk-1" not in repr(model)


@pytest.mark.parametrize("name", ["gpt", "openai:", "unknown:x"])
def test_a_setting_that_names_no_provider_is_explained(name: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="openai:NAME"):
        chat_model(settings(tmp_path, model=name))


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match=r"databits-workbench\[anthropic\]"):
        chat_model(settings(tmp_path, model="anthropic:claude"))
    with pytest.raises(Unavailable, match=r"databits-workbench\[databricks\]"):
        chat_model(settings(tmp_path, model="databricks:endpoint"))


def test_anthropic_is_offered_with_its_extra(tmp_path: Path) -> None:
    pytest.importorskip("langchain_anthropic")
    model = chat_model(settings(tmp_path, model="anthropic:claude", model_key=SecretStr("k")))
    assert model is not None
    assert model._llm_type == "anthropic-chat"


def test_every_request_to_a_workspace_is_signed_anew() -> None:
    class Tokens:
        count = 0

        def authenticate(self) -> dict[str, str]:
            self.count += 1
            return {"Authorization": f"Bearer token-{self.count}"}

    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200)

    auth = WorkspaceAuth(Tokens())  # type: ignore[arg-type]
    with httpx.Client(transport=httpx.MockTransport(answer), auth=auth) as client:
        client.get("http://workspace/")
        client.get("http://workspace/")
    assert seen == ["Bearer token-1", "Bearer token-2"]
