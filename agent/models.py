"""The chat model that the settings name."""

import importlib.util

import httpx
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from databits.errors import Invalid, Unavailable
from databits.settings import Settings

TIMEOUT_S = 60.0
RETRIES = 2


def chat_model(settings: Settings) -> BaseChatModel | None:
    """The model to think with; None means the built-in planner.

    Raises:
        Invalid: the setting names no provider that there is.
        Unavailable: the provider's package is not installed.
    """
    if not settings.model:
        return None
    provider, _, name = settings.model.partition(":")
    if provider == "openai" and name:
        return _openai(settings, name)
    if provider == "anthropic" and name:
        return _anthropic(settings, name)
    if provider == "databricks" and name:
        return _databricks(name)
    raise Invalid(
        "The setting `model` is `openai:NAME` (any OpenAI-protocol server, with `model_url`), "
        "`anthropic:NAME` or `databricks:ENDPOINT`; empty means the built-in planner."
    )


def _openai(settings: Settings, name: str) -> BaseChatModel:
    # Servers on one's own machine take any key, but the client insists on one.
    key = settings.model_key.get_secret_value() or ("unused" if settings.model_url else "")
    return ChatOpenAI(
        model=name,
        base_url=settings.model_url or None,
        api_key=SecretStr(key) if key else None,
        timeout=TIMEOUT_S,
        max_retries=RETRIES,
        # Other servers speak chat completions, seldom the Responses API.
        use_responses_api=False if settings.model_url else None,
    )


def _anthropic(settings: Settings, name: str) -> BaseChatModel:
    if importlib.util.find_spec("langchain_anthropic") is None:
        raise _missing("anthropic")
    from langchain_anthropic import ChatAnthropic

    options = {"api_key": settings.model_key} if settings.model_key.get_secret_value() else {}
    if settings.model_url:
        options["base_url"] = settings.model_url  # type: ignore[assignment]
    return ChatAnthropic(
        model_name=name, timeout=TIMEOUT_S, stop=None, max_retries=RETRIES, **options
    )


def _databricks(endpoint: str) -> BaseChatModel:
    if importlib.util.find_spec("databricks") is None or not importlib.util.find_spec(
        "databricks.sdk"
    ):
        raise _missing("databricks")
    from databits.platforms.databricks.auth import WorkspaceAuth, workspace_config

    config = workspace_config()
    auth = WorkspaceAuth(config)
    return ChatOpenAI(
        model=endpoint,
        base_url=f"{config.host}/serving-endpoints",
        api_key=SecretStr("unused"),  # the header comes from `auth`, anew for every request
        http_client=httpx.Client(auth=auth, timeout=TIMEOUT_S),
        http_async_client=httpx.AsyncClient(auth=auth, timeout=TIMEOUT_S),
        timeout=TIMEOUT_S,
        max_retries=RETRIES,
        use_responses_api=False,
    )


def _missing(extra: str) -> Unavailable:
    return Unavailable(
        f"The chat model needs a package that is not installed: `pip install 'databits-workbench[{extra}]'`."
    )
