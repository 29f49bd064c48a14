from pydantic import BaseModel, Field

from databits.operation import operation
from databits.store import Store


class Verified(BaseModel):
    intact: bool
    events: int = Field(description="Events whose hash holds, from the first on")
    first_broken: int | None = None


@operation(
    role="reviewer",
    effect="read",
    examples=("verify the audit log", "is the audit chain intact", "was the audit tampered with"),
)
def verify_audit(store: Store) -> Verified:
    """Recompute the audit log's chain of hashes and name the first event that does not hold."""
    events, broken = store.audit.first_broken()
    return Verified(intact=broken is None, events=events, first_broken=broken)
