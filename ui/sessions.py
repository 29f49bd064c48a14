"""Who is signed in at the page: the sessions of the serving process."""

import hashlib
import secrets
import time
from dataclasses import dataclass

from databits.actor import Actor
from databits.errors import NotAllowed
from databits.workbench import Workbench
from mcp_server.callers import callers_of

HOURS = 12
CHECKED_EVERY_S = 1.0


@dataclass
class _Session:
    actor: Actor
    password: tuple[object, ...] | None
    """The hash it was opened with, and of when."""
    ends_at: float
    checked_at: float


class Sessions:
    """Sessions by a random id that only the browser keeps; here stands its hash.

    They end after `HOURS`, when the person signs out, gets another password or is disabled, and
    with the process. What changes about a person is seen at most `CHECKED_EVERY_S` late. Methods
    read the database, so they run in worker threads.
    """

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._open: dict[str, _Session] = {}

    def open(self, actor: Actor) -> str:
        """Begin a session of somebody who has just signed in; returns its id."""
        now = time.monotonic()
        for key in [key for key, each in self._open.items() if each.ends_at <= now]:
            self._open.pop(key, None)
        secret = secrets.token_urlsafe(32)
        password = self._password(actor.name)
        self._open[_hash(secret)] = _Session(actor, password, now + HOURS * 3600, now)
        return secret

    def actor(self, secret: str) -> Actor | None:
        """Whose session it is, with the role they have now; None when it is over or never was."""
        key, now = _hash(secret), time.monotonic()
        found = self._open.get(key)
        if found is None:
            return None
        if now - found.checked_at >= CHECKED_EVERY_S:
            if self._password(found.actor.name) != found.password:
                found.ends_at = now
            found.checked_at = now
        try:
            if found.password is not None and found.ends_at > now:
                return callers_of(self._workbench).standing(found.actor)
        except NotAllowed:
            pass
        self._open.pop(key, None)
        return None

    def close(self, secret: str) -> None:
        self._open.pop(_hash(secret), None)

    def _password(self, name: str) -> tuple[object, ...] | None:
        """What is kept of somebody's password; None when they can not sign in any more."""
        row = self._workbench.database.read(lambda store: store.people.password(name))
        return None if row is None else tuple(row)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
