"""Who may what, as this process knows it: read once a second at most, so that a call costs no query."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from databits.actor import Role, highest
from databits.store import Store
from databits.store.database import Database
from databits.store.people import Grants
from databits.store.shapes import ALL

MAX_AGE_S = 1.0


@dataclass(frozen=True)
class Known:
    """Grants, policies and accounts at one moment."""

    grants: Grants
    policies: frozenset[tuple[str, str]]
    """(kind, subject) of those that are on."""
    sign_in: frozenset[str]
    """Who can sign in with a password."""
    at: float
    bearers: dict[str, Any] = field(default_factory=dict)
    """Bearers found since, by the hash of their token: forgotten together with the rest."""

    def role(self, person: str, otherwise: Role) -> Role:
        """A person's role in the workspace."""
        return self.grants.workspace.get(person, otherwise)

    def on_databits(self, person: str) -> Mapping[int, Role]:
        """A person's roles on single Databits, by id."""
        return self.grants.databits.get(person, {})

    def best_role(self, person: str, otherwise: Role) -> Role:
        """The highest role that a person has anywhere."""
        return highest([self.role(person, otherwise), *self.on_databits(person).values()])

    def covers(self, kind: str, subject: str) -> bool:
        """Whether a policy is on for a subject, by name or for all."""
        return bool(self.policies) and (
            (kind, subject) in self.policies or (kind, ALL) in self.policies
        )


class Directory:
    """What is known, at most a second old.

    Writes of this process are known at once, because whoever writes calls `drop` before answering;
    those of other processes within the second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Known | None = None
        self._generation = 0
        self._lock = threading.Lock()

    def at_hand(self) -> Known | None:
        """What is known, if it is fresh enough to be used without reading."""
        known = self._known
        fresh = known is not None and time.monotonic() - known.at < MAX_AGE_S
        return known if fresh else None

    def look(self) -> Known:
        if known := self.at_hand():
            return known
        with self._lock:  # one thread reads, the others wait for it
            while True:
                known, generation = self._known, self._generation
                if known is not None and time.monotonic() - known.at < MAX_AGE_S:
                    return known
                found = self._database.read(_read)
                if generation == self._generation:  # else somebody wrote while we read
                    self._known = found
                    return found

    def drop(self) -> None:
        """Forget: who may what was written just now."""
        self._generation += 1
        self._known = None


def _read(store: Store) -> Known:
    at = time.monotonic()
    policies = frozenset((p.kind, p.subject) for p in store.policies.all())
    return Known(store.people.grants(), policies, store.people.can_sign_in(), at)
