from databits.actor import Actor
from databits.errors import Conflict, NotFound
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import TokenId


class TokenRevoked(Changed):
    token: int
    name: str


@operation(
    role="viewer",
    effect="write",
    people_only=True,
    examples=("revoke token 3", "my token has leaked", "end the token of the build server"),
)
def revoke_token(store: Store, actor: Actor, *, token: TokenId) -> TokenRevoked:
    """Revoke a bearer token, for good: one's own, or as an admin anybody's."""
    found = store.tokens.get(token)
    if found.person != actor.name and not actor.covers("admin"):
        raise NotFound("You have no token of that id. list_tokens shows yours.")
    if found.state == "revoked":
        raise Conflict(f"Token {token} is revoked already.")
    store.tokens.revoke(token)
    return TokenRevoked(token=token, name=found.name)
