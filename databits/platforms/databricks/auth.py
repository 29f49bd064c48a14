"""Signing requests as the workspace's SDK does: token, OAuth machine-to-machine, on behalf of a user."""

from collections.abc import Generator

import httpx
from databricks.sdk.core import Config

from databits.errors import Unavailable

# Left to its defaults, the SDK looks for a host's metadata for 300 seconds before it gives up.
RETRY_S = 10
HTTP_S = 10


class WorkspaceAuth(httpx.Auth):
    """Asks the SDK for the header of each request, so that expired tokens are renewed."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._config.authenticate())
        yield request


def workspace_config(host: str | None = None, token: str | None = None) -> Config:
    """The workspace that the environment, or ~/.databrickscfg, names.

    Raises:
        Unavailable: none is named, or it can not be reached.
    """
    try:
        return Config(
            host=host, token=token, retry_timeout_seconds=RETRY_S, http_timeout_seconds=HTTP_S
        )
    except ValueError as error:
        raise Unavailable(
            "No Databricks workspace is configured. Set DATABRICKS_HOST and DATABRICKS_TOKEN, or run "
            "`databricks auth login`."
        ) from error
