from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from databits.model import UNTRUSTED
from databits.operation import operation
from databits.types import EndpointName

if TYPE_CHECKING:
    from databits.monitoring import Monitoring
    from databits.store.database import Database


class DriftTest(BaseModel):
    name: str
    p_value: float
    effect: float
    drifted: bool


class MovedShare(BaseModel):
    name: str
    before: float = Field(description="Share in the training data")
    now: float = Field(description="Share in the window")


class DriftReport(BaseModel):
    endpoint: str
    verdict: Literal["no drift", "drift", "too little data"]
    requests: int
    reference: str = Field(description="The dataset that the window is compared with")
    reason: str
    tests: list[DriftTest] = []
    psi: float | None = Field(None, description="Population stability index; shown, not judged by")
    moved_labels: list[MovedShare] = []
    moved_words: Annotated[list[MovedShare], UNTRUSTED] = []
    most_unlike: list[str] = Field([], description="Request ids most unlike the training data")


@operation(
    role="viewer",
    effect="read",
    examples=(
        "is X drifting",
        "check the drift of X",
        "has the input of X changed",
        "data shift for X",
        "does X still see the same kind of messages",
    ),
)
def query_drift(
    database: "Database",
    monitoring: "Monitoring",
    *,
    endpoint: EndpointName,
    window: Annotated[
        int, Field(description="How many of the newest requests", ge=20, le=5000)
    ] = 200,
) -> DriftReport:
    """Compare an endpoint's newest requests with what its model was trained on.

    The verdict holds at any window size: permutation tests with family-wise control, and a minimum
    effect, so that a trifle in a large window is no drift.
    """
    return DriftReport.model_validate(monitoring.drift(database, endpoint, window))
