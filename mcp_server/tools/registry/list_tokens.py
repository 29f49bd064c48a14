from databits.actor import Actor
from databits.model import Page, Token
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="viewer",
    effect="read",
    people_only=True,
    examples=("list my tokens", "which tokens are there", "when was my token last used"),
)
def list_tokens(store: Store, actor: Actor, *, after: After = 0, limit: Limit = 20) -> Page[Token]:
    """List bearer tokens: an admin everybody's, others their own. Secrets are not kept."""
    whose = None if actor.covers("admin") else actor.name
    found = store.tokens.page(whose, after, limit + 1)
    return Page.of(found, limit, store.tokens.count(whose))
