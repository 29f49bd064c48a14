"""The workbench in another process of this machine: the one that serves.

One process owns a SQLite workspace. If it lives on (the page, an MCP server on stdio), it leaves its
address and a secret in `server.json`, readable by its user only; commands and stdio servers of the
same user that find it alive hand their calls over. `workspace.py` decides which; this is the wire.
"""

import hashlib
import http.client
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from pydantic import BaseModel

from databits.actor import Actor
from databits.change import actor_row
from databits.errors import DatabitsError, Unavailable, by_phrase
from databits.model import NameKind, Names, Plan, Planned, Run
from databits.operation import find
from databits.owner import database_file
from databits.ports import Asked
from databits.settings import Settings

FILE = "server.json"
ALLOWED = frozenset({"run", "propose", "carry_out", "pulse", "names"})
STEP = "step"
"""Key of the lines that come before the answer of a call that was asked for its steps."""
NOT_PERFORMED = (
    401,
    503,
)  # started again since, with another secret; has handed the workspace over


class Server(NamedTuple):
    """Where the serving process listens, and the secret that its own user may call it with."""

    host: str
    port: int
    token: str
    pid: int
    yields: bool = False
    """Whether it hands the workspace over when the page starts, as a stdio server does."""
    database: str = ""
    """Which database it serves, as `fingerprint` gives it."""


class Gone(Unavailable):
    """The process that served is not there any more, and the call was not performed."""


def fingerprint(settings: Settings) -> str:
    """A name for the database of the settings, without what its URL may hold of secrets."""
    place = str(database_file(settings.url) or settings.url)
    return hashlib.sha256(place.encode()).hexdigest()[:16]


def announce(settings: Settings, *, port: int | None = None, yields: bool = False) -> Server:
    """Leave the address for commands of the same user; called by the serving process."""
    server = Server(
        "127.0.0.1" if port else settings.host,
        port or settings.port,
        secrets.token_urlsafe(32),
        os.getpid(),
        yields,
        fingerprint(settings),
    )
    path = settings.home / FILE
    path.unlink(missing_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as out:
        json.dump(server._asdict(), out)
    return server


def withdraw(settings: Settings) -> None:
    """Take this process's address back; another's stays."""
    left = _left(settings.home)
    if left is not None and left.pid == os.getpid():
        (settings.home / FILE).unlink(missing_ok=True)


def _left(home: Path) -> Server | None:
    """What stands in the file, dead or alive."""
    try:
        return Server(**json.loads((home / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def serving(home: Path, database: str | None = None) -> Server | None:
    """The process that serves this workspace, if it is alive and answers.

    Args:
        database: The fingerprint it must have; the same folder may have been served on another one.
    """
    server = _left(home)
    if server is None or database not in (None, server.database):
        return None
    try:
        os.kill(server.pid, 0)
        connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
        try:
            connection.request("GET", "/health")
            with connection.getresponse() as response:
                return server if response.status == 200 else None
        finally:
            connection.close()
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return None


class Remote:
    """A `Runner` whose calls another process performs."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def run(
        self, name: str, arguments: Mapping[str, Any], actor: Actor, **asked: Unpack[Asked]
    ) -> BaseModel:
        said = {"name": name, "arguments": dict(arguments), "key": asked.get("key")}
        return self._result(name, self._post("run", said, actor, asked.get("progress")))

    def propose(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> Plan:
        found = self._post("propose", {"name": name, "arguments": dict(arguments)}, actor)
        return Plan.model_validate(found["data"])

    def pulse(self) -> str:
        return str(self._post("pulse", {}, None)["data"])

    def names(self, kind: NameKind, typed: str, actor: Actor, of: str = "") -> Names:
        found = self._post("names", {"kind": kind, "typed": typed, "of": of}, actor)
        return Names.model_validate(found["data"])

    def carry_out(self, plan_id: int) -> BaseModel:
        found = self._post("carry_out", {"plan": plan_id}, None)
        return self._result(found["operation"], found)

    def hand_over(self) -> None:
        """Ask it to let go of the workspace, which a process that `yields` does when its calls have ended."""
        self._post("hand_over", {}, None)

    def _result(self, name: str, found: dict[str, Any]) -> BaseModel:
        kinds: dict[str, type[BaseModel]] = {"run": Run, "planned": Planned}
        model = kinds.get(found["kind"]) or find(name).output
        return model.model_validate(found["data"])

    def _post(
        self,
        verb: str,
        body: dict[str, Any],
        actor: Actor | None,
        progress: Callable[[float, str], None] | None = None,
    ) -> dict[str, Any]:
        """Args:
        progress: Told of each step; when it raises, the connection is closed and the call ends there.
        """
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=600)
        try:
            connection.connect()
        except OSError:
            raise Gone(
                "The process that had this workspace open has ended. Call once more."
            ) from None
        try:
            connection.request(
                "POST",
                f"/local/{verb}",
                json.dumps(
                    {**body, "actor": actor_row(actor) if actor else None, "steps": bool(progress)}
                ),
                {
                    "Authorization": f"Bearer {self.server.token}",
                    "Content-Type": "application/json",
                },
            )
            # It has the socket to itself when the other side will close it.
            with connection.getresponse() as response:
                found: dict[str, Any] = json.loads(response.readline())
                while progress is not None and STEP in found:
                    progress(*found[STEP])
                    found = json.loads(response.readline())
                status = response.status
        except (OSError, ValueError, http.client.HTTPException):
            raise Unavailable(
                "The process that has this workspace open stopped answering, so the call may have been done or not: "
                "look with list_changes. If it was `databits up`, start it again."
            ) from None
        finally:
            connection.close()
        if "error" in found:
            raise by_phrase(found["error"]["phrase"])(found["error"]["text"])
        if status in NOT_PERFORMED:
            raise Gone("The workbench server was started again. Call once more.")
        if "kind" not in found:
            raise Unavailable(
                "It went wrong in the process that has this workspace open; that one's log has the details."
            )
        return found


def envelope(name: str, result: BaseModel) -> dict[str, Any]:
    """A result as it travels: what it is, and its data."""
    kind = {Run: "run", Planned: "planned"}.get(type(result), "result")
    return {"kind": kind, "operation": name, "data": result.model_dump(mode="json")}


def refusal(error: DatabitsError) -> dict[str, Any]:
    return {"error": {"phrase": error.phrase, "text": str(error)}}
