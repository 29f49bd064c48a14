"""The actor that a token of the sign-in server acts for.

Whoever it names is a viewer until something is granted to them, whatever they are called; the
token's scopes are a ceiling that goes with them into runs and plans.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from databits.actor import Actor, Role, Surface
from databits.errors import NotAllowed, Unavailable
from databits.identity import NOBODY, on_record
from databits.oauth.tokens import TokenRefused, Tokens, Verified

if TYPE_CHECKING:
    from databits.workbench import Workbench


class ScopeMissing(NotAllowed):
    """A token that is good, and not for this; `role` is whose scope it takes."""

    def __init__(self, role: Role, text: str) -> None:
        super().__init__(text)
        self.role = role


class KeptOut(NotAllowed):
    """Somebody who is known, and may not come in: another token would not help."""


class Entered(NamedTuple):
    """Somebody who came with a token."""

    actor: Actor
    principal: str
    up_to: Role
    """What their grants would let them do, with more scopes."""


def is_at_hand(workbench: "Workbench", tokens: Tokens, secret: str) -> bool:
    """Whether `enter` has its answer without work and without the database."""
    known, found = workbench.directory.at_hand(), tokens.at_hand(secret)
    if known is None or found is None or found.limit is None:
        return False
    return found.person not in known.grants.disabled


def enter(workbench: "Workbench", tokens: Tokens, secret: str, surface: Surface) -> Entered:
    """Who comes in with a token.

    Raises:
        TokenRefused: when it does not count here; KeptOut: when the person is disabled;
        ScopeMissing: when none of its scopes is ours; Unavailable: when it can not be checked now.
    """
    try:
        found = tokens.check(secret)
    except (TokenRefused, Unavailable) as error:
        _tell(
            workbench, Actor(NOBODY, "viewer", surface), f"a token of the sign-in server: {error}"
        )
        raise
    return _enter(workbench, tokens, found, surface)


def enter_again(
    workbench: "Workbench", tokens: Tokens, principal: str, surface: Surface
) -> Entered:
    """Who came in a while ago, as they stand now, by whatever token they have shown since.

    Raises:
        TokenRefused: when all of them have ended; KeptOut, ScopeMissing as `enter`.
    """
    return _enter(workbench, tokens, tokens.newest(principal), surface)


def _enter(workbench: "Workbench", tokens: Tokens, found: Verified, surface: Surface) -> Entered:
    known, name = workbench.directory.look(), found.person
    actor = _actor(found, surface)
    if name in known.grants.disabled:
        _tell(workbench, actor, "a token of a disabled person")
        raise KeptOut("This account is disabled. An admin can let you in again.")
    if found.limit is None:
        asked = tokens.trust.asks
        _tell(workbench, actor, "a token without a scope of ours")
        raise ScopeMissing(
            asked, f"This token has no scope of ours. {tokens.trust.scope(asked)} is the first."
        )
    actor = actor.standing_as(known.role(name, actor.role))
    return Entered(actor, found.principal, known.best_role(name, "viewer"))


def _actor(found: Verified, surface: Surface) -> Actor:
    limit = found.limit or "viewer"
    actor = Actor(found.person, "viewer", surface, client=found.client, limit=limit)
    return actor if found.human else replace(actor, service=True)


def _tell(workbench: "Workbench", actor: Actor, what: str) -> None:
    """Put a refusal on record; the same one of the same person once a minute."""
    if workbench.gate.worth_telling(f"{actor.name} {what}", 60):
        on_record(workbench, actor, "bearer", "refused", what)
