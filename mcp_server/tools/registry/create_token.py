from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from databits.actor import Actor, Role, highest
from databits.errors import Conflict, NotAllowed
from databits.identity import hash_secret, new_secret
from databits.model import Changed, Moment
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import now
from databits.types import NewName, PersonName

if TYPE_CHECKING:
    from databits.directory import Directory

DAY_US = 86_400_000_000
Toolset = Literal["data", "template", "curate", "train", "deploy", "monitor", "improve", "registry"]


class TokenCreated(Changed):
    token: int
    person: str
    role: Role
    expires_at: Moment
    secret: str = Field(description="Shown this once; keep it where secrets are kept")


@operation(
    role="viewer",
    effect="write",
    people_only=True,
    examples=("make a token for my editor", "create a bearer token", "I need an API token"),
)
def create_token(
    store: Store,
    directory: "Directory",
    actor: Actor,
    *,
    name: Annotated[NewName, Field(description="What it is for")],
    person: Annotated[PersonName | None, Field(description="Whose; default: your own")] = None,
    role: Annotated[Role, Field(description="What it may do at most")] = "viewer",
    toolsets: Annotated[
        list[Toolset] | None, Field(description="Only these stages", min_length=1)
    ] = None,
    days: Annotated[int, Field(description="Days until it expires", ge=1, le=365)] = 90,
) -> TokenCreated:
    """Create a bearer token for software that calls over HTTP in a person's name.

    For oneself with at most one's own role; for others it takes the role admin.
    """
    owner = person or actor.name
    if owner != actor.name and not actor.covers("admin"):
        raise NotAllowed("Only an admin makes tokens for others. Leave `person` out for your own.")
    mine = actor.standing_as(directory.look().best_role(actor.name, actor.surface_role))
    if not actor.covers("admin") and highest([role, mine.role]) != mine.role:
        raise NotAllowed(f"A token can not do more than you; you are {mine.role}.")
    if owner == actor.name and store.people.find(owner) is None:
        store.people.add(owner)  # the user of this machine needs no account, their token does
    store.people.raw(owner)
    if store.tokens.in_use(owner, name):
        raise Conflict("There is a token of that name already. revoke_token ends it.")
    secret, expires = new_secret(), now() + days * DAY_US
    sha = hash_secret(secret)
    made = store.tokens.add(name, sha, owner, role, toolsets, actor.name, expires)
    return TokenCreated(token=made, person=owner, role=role, expires_at=expires, secret=secret)
