"""Who somebody is: people by name and password, software by bearer token.

Surfaces ask here and nowhere else. What comes out is an `Actor` with the role that the surface
gives; grants and ceilings are applied when an operation is called (databits/admission.py).
"""

import getpass
import hashlib
import os
import secrets
import time
from collections import deque
from dataclasses import replace
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from databits.actor import Actor, Role, Surface, lowest
from databits.change import append
from databits.digest import digest
from databits.errors import NotAllowed
from databits.passwords import verify_password
from databits.settings import Settings
from databits.store import Store
from databits.store.shapes import now

if TYPE_CHECKING:
    from databits.workbench import Workbench

PREFIX = "dbw_"
TRIES, WINDOW_S = 5, 300.0
USED_EVERY_US = 60_000_000
NOBODY = "unknown"  # in the log for a name nobody has: people type their password there by mistake
_WRONG = "The name or the password is wrong."
_TOKEN = "Make one with `databits token create`."


class Gate:
    """Counts wrong passwords a name, and how often a refused token is on record."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tries: dict[str, deque[float]] = {}
        self._told: dict[str, float] = {}

    def enter(self, name: str) -> bool:
        """Count a try before its password is looked at; False when there were too many lately."""
        moment = time.monotonic()
        with self._lock:
            if len(self._tries) > 10_000:  # names made up by somebody who guesses
                old = [n for n, t in self._tries.items() if not t or moment - t[-1] > WINDOW_S]
                for key in old:
                    del self._tries[key]
            tries = self._tries.setdefault(name, deque())
            while tries and moment - tries[0] > WINDOW_S:
                tries.popleft()
            if len(tries) >= TRIES:
                return False
            tries.append(moment)
            return True

    def passed(self, name: str) -> None:
        """The password was right: the tries before it are forgiven."""
        with self._lock:
            self._tries.pop(name, None)

    def worth_telling(self, what: str, every_s: float) -> bool:
        """Whether this was not on record lately: a flood must not fill the audit log."""
        moment = time.monotonic()
        with self._lock:
            if moment - self._told.get(what, -every_s) < every_s:
                return False
            if len(self._told) > 10_000:
                self._told.clear()
            self._told[what] = moment
            return True


class Bearer(NamedTuple):
    """What a token stands for."""

    actor: Actor
    toolsets: tuple[str, ...] | None
    expires_at: int


def machine_user(settings: Settings) -> str:
    """Name of the operating-system user that this process acts for."""
    return settings.user or _os_user()


@cache  # every request asks, and the answer takes a system call
def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without an entry in passwd
        return f"uid-{os.getuid()}"


def has_accounts(workbench: "Workbench") -> bool:
    """Whether anybody can sign in with a password."""
    return bool(workbench.directory.look().sign_in)


def sign_in(workbench: "Workbench", name: str, password: str) -> Actor:
    """The person of that name, if this is their password.

    Raises:
        NotAllowed: when it is not, in the same words and the same time for a name nobody has; and
            for a while after five wrong tries within five minutes.
    """
    name = name.strip().lower()
    row = workbench.database.read(lambda store: store.people.password(name))
    actor = Actor(name if row else NOBODY, _surface_role(workbench, name), "chat")
    if not workbench.gate.enter(name):
        if workbench.gate.worth_telling(f"locked {actor.name}", 60):
            on_record(workbench, actor, "sign_in", "refused", "too many wrong passwords")
        raise NotAllowed("Too many wrong passwords for this name. Try again in five minutes.")
    if not verify_password(password, row.hash if row else None):
        on_record(workbench, actor, "sign_in", "refused", "wrong name or password")
        raise NotAllowed(_WRONG)
    workbench.gate.passed(name)
    actor = actor.standing_as(workbench.directory.look().role(name, actor.role))
    on_record(workbench, actor, "sign_in", "ok")
    return actor


def bearer(
    workbench: "Workbench", secret: str, surface: Surface
) -> tuple[Actor, tuple[str, ...] | None]:
    """Whom a token acts for, and the toolsets it may use; None: all.

    Raises:
        NotAllowed: for a token that is unknown, expired, revoked, or of a person who is disabled.
    """
    known = workbench.directory.look()
    sha = hash_secret(secret)
    found: Bearer | None = known.bearers.get(sha)
    if found is None or found.expires_at <= now():
        found = known.bearers[sha] = _look_up(workbench, sha, surface)
    return replace(found.actor, surface=surface), found.toolsets


def is_at_hand(workbench: "Workbench", secret: str) -> bool:
    """Whether it is known without reading the database who shows this token, or no token."""
    known = workbench.directory.at_hand()
    return known is not None and (not secret or hash_secret(secret) in known.bearers)


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """What is kept of a token. It is random and long, so a plain hash can not be guessed at."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _look_up(workbench: "Workbench", sha: str, surface: Surface) -> Bearer:
    row, person = workbench.database.read(lambda store: _token_and_person(store, sha))
    if row is None:
        _refuse(workbench, Actor(NOBODY, "viewer", surface), "an unknown token", "nobody's")
    name, known = row.person, workbench.directory.look()
    role = lowest([row.role, _surface_role(workbench, name)])
    software = name != machine_user(workbench.settings) and name not in known.sign_in
    actor = Actor(name, role, surface, limit=row.role, service=software)
    actor = actor.standing_as(known.role(name, role))
    if row.revoked_at is not None:
        _refuse(workbench, actor, f"token {row.id} was revoked", "revoked")
    if row.expires_at <= now():
        _refuse(workbench, actor, f"token {row.id} has expired", "expired")
    if person is None or person.disabled:
        _refuse(workbench, actor, f"token {row.id} of a disabled person", "a disabled person's")
    if now() - (row.used_at or 0) > USED_EVERY_US:
        workbench.database.write(lambda store: store.tokens.used(row.id))
    toolsets = None if row.toolsets is None else tuple(row.toolsets)
    return Bearer(actor, toolsets, row.expires_at)


def _token_and_person(store: Store, sha: str) -> tuple[Any, Any]:
    row = store.tokens.by_secret(sha)
    return row, store.people.find(row.person) if row is not None else None


def _surface_role(workbench: "Workbench", name: str) -> Role:
    """What somebody may do for whom nothing is granted: the machine's own user what the settings say."""
    mine = name == machine_user(workbench.settings)
    return workbench.settings.role if mine else "viewer"


def _refuse(workbench: "Workbench", actor: Actor, what: str, whose: str) -> None:
    if workbench.gate.worth_telling(what, 60):
        on_record(workbench, actor, "bearer", "refused", what)
    raise NotAllowed(f"This token is {whose}. {_TOKEN}")


def on_record(
    workbench: "Workbench", actor: Actor, operation: str, outcome: str, detail: str = ""
) -> None:
    """Put on record that somebody came in or did not, whom nobody has asked for an operation."""
    sha = digest({"name": actor.name})
    workbench.database.write(lambda store: append(store, actor, operation, sha, outcome, detail))
