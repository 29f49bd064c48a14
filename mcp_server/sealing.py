"""What seals a question's state, so that every server of a workspace can take the answer.

A question travels to the client with its state, and comes back with the answer to whichever process
the request reaches: after a restart, or behind a balancer, that is another one. So the key is the
workspace's: `question.key` in its folder, or the setting where several machines share a database.
The SDK seals (AES-GCM) and checks time, caller, tool and arguments; here is only where keys are from.
"""

import os
import secrets
from pathlib import Path

from mcp.server.mcpserver import RequestStateSecurity
from mcp.server.request_state import AESGCMRequestStateCodec

from databits.settings import Settings

FILE = "question.key"
# How long a question stays open; as long as its plan, which is looked up again with the answer.
ANSWER_WITHIN_S = 72 * 3600.0


def sealed_by(settings: Settings) -> RequestStateSecurity:
    """Questions that any server with these settings, or this folder, can take the answer to."""
    return RequestStateSecurity(codec=_OfWorkspace(settings), ttl=ANSWER_WITHIN_S)


class _OfWorkspace:
    """The SDK's codec under the keys of the workspace, looked up when there is a question.

    Not before: listing tools must not make a folder. And each time: another process may have
    rotated the file since. Questions are rare.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def seal(self, payload: bytes) -> str:
        return self._codec().seal(payload)

    def unseal(self, token: str) -> bytes:
        return self._codec().unseal(token)

    def _codec(self) -> AESGCMRequestStateCodec:
        given = [key.get_secret_value() for key in self._settings.question_keys]
        return AESGCMRequestStateCodec(list(dict.fromkeys(given or keys_in(self._settings.home))))


def keys_in(home: Path) -> list[str]:
    """The keys in a workspace's folder, one a line: the first seals, each of them opens.

    They are made with the first question, readable by their owner only.
    """
    path = home / FILE
    if not path.exists():
        _make(path)
    return path.read_text(encoding="utf-8").split()


def _make(path: Path) -> None:
    """Written under another name and moved into place whole: two processes may come at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(f"{secrets.token_hex(32)}\n")
        os.link(fresh, path)
    except FileExistsError:  # the other one's key is as good
        pass
    finally:
        fresh.unlink(missing_ok=True)
