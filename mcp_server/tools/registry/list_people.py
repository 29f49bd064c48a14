from databits.model import Page, Person
from databits.operation import operation
from databits.store import Store
from databits.types import After, Limit


@operation(
    role="admin",
    effect="read",
    people_only=True,
    examples=("list the people", "who has which role", "who can sign in"),
)
def list_people(store: Store, *, after: After = 0, limit: Limit = 20) -> Page[Person]:
    """List people with their roles, in the workspace and on Databits."""
    return Page.of(store.people.page(after, limit + 1), limit, store.people.count())
