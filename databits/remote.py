"""The workbench in another process of this machine: the one that serves.

One process owns a SQLite workspace. It leaves its address and a secret in `server.json`, readable
by its user only; commands and stdio servers of the same user that find it alive hand their calls
over instead of opening the file beside it.
"""

import http.client
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from databits.actor import Actor
from databits.change import actor_row
from databits.errors import DatabitsError, Unavailable, by_phrase
from databits.model import Plan, Planned, Run
from databits.operation import find
from databits.settings import Settings

FILE = "server.json"
ALLOWED = frozenset({"run", "propose", "carry_out"})


class Server(NamedTuple):
    """Where the serving process listens, and the secret that its own user may call it with."""

    host: str
    port: int
    token: str
    pid: int


def announce(settings: Settings) -> Server:
    """Leave the address for commands of the same user; called by the serving process."""
    server = Server(settings.host, settings.port, secrets.token_urlsafe(32), os.getpid())
    path = settings.home / FILE
    path.unlink(missing_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as out:
        json.dump(server._asdict(), out)
    return server


def withdraw(settings: Settings) -> None:
    (settings.home / FILE).unlink(missing_ok=True)


def serving(home: Path) -> Server | None:
    """The process that serves this workspace, if it is alive and answers."""
    try:
        server = Server(**json.loads((home / FILE).read_text(encoding="utf-8")))
        os.kill(server.pid, 0)
        connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
        connection.request("GET", "/health")
        return server if connection.getresponse().status == 200 else None
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return None


class Remote:
    """A `Runner` whose calls another process performs."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def run(
        self,
        name: str,
        arguments: Mapping[str, Any],
        actor: Actor,
        *,
        progress: Callable[[float, str], None] | None = None,
    ) -> BaseModel:
        return self._result(
            name, self._post("run", {"name": name, "arguments": dict(arguments)}, actor)
        )

    def propose(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> Plan:
        found = self._post("propose", {"name": name, "arguments": dict(arguments)}, actor)
        return Plan.model_validate(found["data"])

    def carry_out(self, plan_id: int) -> BaseModel:
        found = self._post("carry_out", {"plan": plan_id}, None)
        return self._result(found["operation"], found)

    def _result(self, name: str, found: dict[str, Any]) -> BaseModel:
        kinds: dict[str, type[BaseModel]] = {"run": Run, "planned": Planned}
        model = kinds.get(found["kind"]) or find(name).output
        return model.model_validate(found["data"])

    def _post(self, verb: str, body: dict[str, Any], actor: Actor | None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._server.host, self._server.port, timeout=600)
        try:
            connection.request(
                "POST",
                f"/local/{verb}",
                json.dumps({**body, "actor": actor_row(actor) if actor else None}),
                {
                    "Authorization": f"Bearer {self._server.token}",
                    "Content-Type": "application/json",
                },
            )
            response = connection.getresponse()
            found: dict[str, Any] = json.loads(response.read())
        except (OSError, ValueError, http.client.HTTPException):
            raise Unavailable(
                "The workbench server stopped answering. Look whether `databits up` still runs, and try again."
            ) from None
        finally:
            connection.close()
        if "error" in found:
            raise by_phrase(found["error"]["phrase"])(found["error"]["text"])
        if "kind" not in found:  # it was started again since, with another secret
            raise Unavailable("The workbench server was started again. Call once more.")
        return found


def envelope(name: str, result: BaseModel) -> dict[str, Any]:
    """A result as it travels: what it is, and its data."""
    kind = {Run: "run", Planned: "planned"}.get(type(result), "result")
    return {"kind": kind, "operation": name, "data": result.model_dump(mode="json")}


def refusal(error: DatabitsError) -> dict[str, Any]:
    return {"error": {"phrase": error.phrase, "text": str(error)}}
