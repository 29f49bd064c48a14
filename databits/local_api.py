"""The answers of the process that has a workspace open to others of its user: the other end of `remote.py`.

`ui.app` puts `answer` behind a route and checks the secret; a stdio server, which has no web server
of its own, starts the small one here.
"""

import hmac
import json
import logging
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

from databits.actor import Actor
from databits.change import Progress, actor_of
from databits.errors import Cancelled, Conflict, DatabitsError, Invalid
from databits.remote import ALLOWED, STEP, Gone, announce, envelope, refusal, withdraw
from databits.settings import Settings

if TYPE_CHECKING:
    from databits.workbench import Workbench  # a second's import, which the server here goes before

log = logging.getLogger("databits")
GONE = "Whoever asked has gone; nothing was changed."
BODY = 64 * 2**20  # bytes of a call at most


def answer(
    workbench: "Workbench", verb: str, body: dict[str, Any], progress: Progress | None = None
) -> dict[str, Any]:
    """Perform one call; a refusal comes back as data.

    Args:
        progress: Told of the steps of a call that wants them told; it may end the call.
    """
    try:
        if verb not in ALLOWED:
            raise Invalid(f"There is no such call. Calls: {', '.join(sorted(ALLOWED))}.")
        if verb == "carry_out":
            return _carry_out(workbench, int(body["plan"]))
        if verb == "pulse":
            return {"kind": "pulse", "data": workbench.pulse()}
        actor: Actor = actor_of(body["actor"])
        if verb == "names":
            found = workbench.names(body["kind"], str(body["typed"]), actor, str(body["of"]))
            return {"kind": "names", "data": found.model_dump(mode="json")}
        name, arguments = str(body["name"]), dict(body["arguments"])
        if verb == "propose":
            return {
                "kind": "plan",
                "data": workbench.propose(name, arguments, actor).model_dump(mode="json"),
            }
        steps = progress if body.get("steps") else None
        done = workbench.run(name, arguments, actor, progress=steps, key=body.get("key"))
        return envelope(name, done)
    except DatabitsError as error:
        return refusal(error)


def _carry_out(workbench: "Workbench", plan_id: int) -> dict[str, Any]:
    name = workbench.database.read(lambda store: store.plans.raw(plan_id)).operation
    return envelope(name, workbench.carry_out(plan_id))


class Answers(Protocol):
    """The workspace as the small server needs it."""

    def answer(
        self, verb: str, body: dict[str, Any], progress: Progress | None = None
    ) -> dict[str, Any]: ...

    def hand_over(self) -> None: ...


class LocalServer:
    """Answers for a workspace on a free loopback port, from threads, until it is stopped."""

    def __init__(self, settings: Settings, workspace: Answers) -> None:
        self.workspace = workspace
        self._settings = settings
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.local = self
        try:
            self.token = announce(settings, port=self._http.server_port, yields=True).token
        except BaseException:
            self._http.server_close()
            raise
        Thread(target=self._http.serve_forever, name="databits-local", daemon=True).start()

    def stop(self) -> None:
        withdraw(self._settings)
        self._http.shutdown()
        self._http.dismiss()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # the call that hands over is answered after this server has ended
    request_queue_size = 1024
    """Connections that may wait to be taken up; with the library's 5 a burst of calls was turned away."""
    timeout = 0  # of `handle_request` alone, which only `dismiss` calls
    local: LocalServer
    _waiting = True

    def dismiss(self) -> None:
        """Take up who has connected in the meantime: they hear that the workspace has gone, and ask again.

        Closed unheard, they could not know whether their call had been done.
        """
        while self._waiting:
            self.handle_request()

    def handle_timeout(self) -> None:
        self._waiting = False


def step(done: float, message: str) -> bytes:
    """A line that says how far a call is."""
    return json.dumps({STEP: [done, message]}).encode() + b"\n"


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    _begun = False
    """Whether the head of the answer has been sent: its last line is what is left to say."""
    timeout = 60

    def do_GET(self) -> None:
        self._reply({"status": "ok"}) if self.path == "/health" else self._reply({}, 404)

    def do_POST(self) -> None:
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.local.token}".encode()):
            self._reply({"detail": "The secret in server.json is needed."}, 401)
            return
        try:
            length = int(self.headers["Content-Length"])
            if not 0 <= length <= BODY:
                raise ValueError
            body = dict(json.loads(self.rfile.read(length)))
            found = self._perform(self.path.removeprefix("/local/"), body)
        except Gone:
            self._reply({}, 503)
        except (KeyError, TypeError, ValueError):
            self._reply(refusal(Invalid("The call is malformed.")), 400)
        except Exception:
            log.exception("a call from another process crashed")
            self._reply({}, 500)
        else:
            self._reply(found)

    def _perform(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        workspace = self.server.local.workspace
        try:
            if verb != "hand_over":
                return workspace.answer(verb, body, self._step)
            workspace.hand_over()  # ends this server, but not this answer
        except Conflict as error:
            return refusal(error)
        return {"kind": "handed over"}

    def _step(self, done: float, message: str) -> None:
        try:
            if not self._begun:
                self._begun = True
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson")
                self.end_headers()
            self.wfile.write(step(done, message))
        except OSError:
            raise Cancelled(GONE) from None

    def _reply(self, found: dict[str, Any], status: int = 200) -> None:
        with suppress(OSError):  # whoever asked has cancelled the call, or has ended
            self._write(found, status)

    def _write(self, found: dict[str, Any], status: int) -> None:
        data = json.dumps(found).encode()
        if self._begun:
            self.wfile.write(data)
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Standard error is what an IDE shows; nobody wants every call there."""
