"""One model of every setting: environment (`DATABITS_…`) over `databits.toml` over defaults."""

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from databits.actor import Role


def _listed(value: object) -> object:
    """`a,b`, or a JSON list, as a variable of the environment has it."""
    return [part.strip(' []"') for part in value.split(",")] if isinstance(value, str) else value


class Settings(BaseSettings):
    """Where the workbench keeps its things and whom it talks to."""

    model_config = SettingsConfigDict(
        env_prefix="DATABITS_", toml_file="databits.toml", extra="ignore", frozen=True
    )

    home: Path = Field(
        Path.home() / ".databits", description="Folder of this workspace: database, files, models."
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL; empty means a SQLite file in `home`."
    )
    role: Role = Field(
        "admin",
        description="Role of the operating-system user on this machine; grants can lower it, not raise it.",
    )
    user: str = Field("", description="Name to act under; empty means the operating-system user.")
    host: str = Field(
        "127.0.0.1",
        description="Address the server listens on; off loopback only when people can sign in.",
    )
    port: int = Field(8765, ge=1, le=65535, description="Port of the server.")
    hosts: list[str] = Field(
        [], description="Further names that the server is reached by, without port."
    )
    require_sign_in: bool = Field(
        False,
        description="Ask everybody to sign in, on this machine too; so it is once a person has a password.",
    )
    identity_header: str = Field(
        "",
        description="Header in which a platform's proxy names who it has signed in, as `X-Forwarded-Email`.",
    )
    trusted_proxy: list[IPvAnyNetwork] = Field(
        [], description="Addresses or networks of the proxy whose headers are believed."
    )
    oauth_issuer: str = Field(
        "",
        description="URL of your own sign-in server (OAuth 2.1 issuer); its access tokens are then taken beside ours.",
    )
    oauth_resource: str = Field(
        "",
        description="URL by which clients reach `/mcp`, which tokens must be made for; empty only where this machine "
        "alone is served.",
    )
    oauth_audience: str = Field(
        "",
        description="What a token's `aud` names instead, where the sign-in server can not put a URL there.",
    )
    oauth_keys: str = Field(
        "",
        description="URL or file of its signing keys (JWKS); empty: where its own description says.",
    )
    oauth_person: str = Field(
        "sub",
        min_length=1,
        description="Claim of a token that names the person, as `preferred_username`; only one that people can not "
        "choose for themselves.",
    )
    oauth_prefix: str = Field(
        "sso+",
        description="What the names of people who come with such a token begin with; empty makes them the local "
        "accounts of the same name.",
    )
    oauth_asks: Role = Field(
        "viewer",
        description="Role whose scope clients are told to ask for at first; a call that needs more asks for more.",
    )
    oauth_scope_prefix: str = Field(
        "",
        description="What the sign-in server wants before the names of our scopes, as `api://…/`.",
    )
    roots: list[Path] = Field(
        [],
        description="Folders files may be imported from; empty means any the user can read, or, where "
        "others sign in, none but what they upload.",
    )
    model: str = Field(
        "",
        description="Chat model: `openai:NAME`, `anthropic:NAME`, `databricks:ENDPOINT`; "
        "empty means the built-in planner.",
    )
    model_url: str = Field(
        "", description="Base URL of an OpenAI-protocol server (Ollama, vLLM, llama-server)."
    )
    model_key: SecretStr = Field(SecretStr(""), description="Its key.")
    toolsets: Annotated[list[str], NoDecode, BeforeValidator(_listed)] = Field(
        ["core"],
        description="Tools that MCP clients are offered, comma-separated: `core` (the most used, the rest by "
        "`search_tools`), `all`, or stages, which rule out the others.",
    )
    read_only: bool = Field(False, description="Offer MCP clients only tools that change nothing.")
    lease_seconds: int = Field(
        900, ge=10, description="How long a claimed item stays a reviewer's."
    )
    plan_hours: int = Field(72, ge=1, description="How long a plan can be approved.")
    body_mb: int = Field(
        4, ge=1, le=1024, description="Largest body of a request to `/mcp`, in MB."
    )
    requests_per_minute: int = Field(
        6000,
        ge=0,
        description="Requests to `/mcp` that one person may send in a minute, a third of them at once; 0: no limit.",
    )
    calls_at_once: int = Field(
        64, ge=1, description="Tool calls over HTTP that one person may have under way."
    )
    sessions_each: int = Field(
        100, ge=1, description="MCP sessions that one person may have open over HTTP."
    )
    question_keys: list[Annotated[SecretStr, Field(min_length=32)]] = Field(
        [],
        description="Keys that MCP servers on several machines seal their questions with: the first seals, each "
        "opens. Empty means `question.key` in `home`.",
    )
    threads: int = Field(
        0, ge=0, description="Threads of the embedding engine; 0 means one a core."
    )
    workers: int = Field(
        1, ge=1, le=64, description="Worker processes that execute runs, on this machine."
    )
    run_limits: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {"launch_fine_tune": 1},
        description="How many runs of an operation, or of a stage, are executed at once at most.",
    )
    retry_seconds: float = Field(
        2.0,
        ge=0,
        le=3600,
        description="Wait before a run that failed for a passing reason is tried again; four times "
        "as long before the third attempt, which is the last.",
    )
    trace_calls: float = Field(
        5.0,
        ge=0,
        le=1000,
        description="Tool calls a second that `databits up` keeps as MLflow traces at most, without what was said in "
        "them; 0: none.",
    )
    trace_ratio: float = Field(
        1.0, ge=0, le=1, description="Share of agent turns that are traced to MLflow."
    )

    @property
    def serves_others(self) -> bool:
        """Whether people other than this machine's user are meant to come in."""
        invited = self.require_sign_in or self.identity_header or self.oauth_issuer
        return bool(invited or not is_loopback(self.host))

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{(self.home / 'workbench.db').as_posix()}"

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry URI."""
        return f"sqlite:///{(self.home / 'mlflow.db').as_posix()}"

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


@lru_cache(maxsize=64)  # each request asks it of the same few
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address, or comes from it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
