from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from databits.candidates import choose_candidates
from databits.change import Work
from databits.errors import NotReady
from databits.importing import records_of_requests
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import EndpointName

if TYPE_CHECKING:
    from databits.monitoring import Monitoring


class Extracted(Changed):
    endpoint: str
    databit: str
    candidates: int
    items: list[int] = Field(description="The new items, the first hundred")
    why: dict[str, int] = Field(description="Reason → how many")
    known: int = Field(0, description="Passed over: their text is in the queue already")


@operation(
    role="engineer",
    effect="write",
    job=True,
    examples=(
        "turn the bad answers of X into new items",
        "collect candidates from the feedback on X",
        "send flagged requests of X back to labelling",
        "what should we relabel from X",
        "extract feedback candidates from X",
    ),
)
def extract_feedback_candidates(
    work: Work,
    monitoring: "Monitoring",
    *,
    endpoint: EndpointName,
    budget: Annotated[
        int,
        Field(
            description="At most this many new items",
            ge=1,
            le=500,
            json_schema_extra={"x-entity": "count"},
        ),
    ] = 50,
) -> Extracted:
    """Turn an endpoint's corrected, disliked, drifting and unsure requests into items to label.

    Each says why a person sees it; texts that are in the queue already are passed over.
    """
    databit = work.read(lambda store: _databit_of(store, endpoint))
    rows, known = monitoring.candidate_rows(work, endpoint)
    work.progress(0.5, f"{len(rows)} requests weighed")
    chosen = choose_candidates(rows, budget=budget, labelled=known)

    def write(store: Store) -> Extracted:
        notes = {
            row.request_id: row.id
            for row in store.feedback.of_endpoint(store.endpoints.raw(endpoint).id)
        }
        ids = records_of_requests(store, endpoint, [c.request_id for c in chosen])
        made = store.items.queue(
            store.databits.get(databit).databit_id,
            ids,
            why={i: c.reason for i, c in zip(ids, chosen, strict=True)},
            priority={i: 1 + c.priority for i, c in zip(ids, chosen, strict=True)},
            feedback={
                i: notes[c.request_id]
                for i, c in zip(ids, chosen, strict=True)
                if c.request_id in notes
            },
        )
        reasons = [c.reason for c in chosen]
        return Extracted(
            endpoint=endpoint,
            databit=databit,
            candidates=len(made),
            items=made[:100],
            why={r: reasons.count(r) for r in dict.fromkeys(reasons)},
            known=len(chosen) - len(made),
        )

    return work.commit(write)


def _databit_of(store: Store, endpoint: str) -> str:
    live = store.endpoints.routes(endpoint)
    if not live:
        raise NotReady(f"{endpoint} serves no model. deploy_model gives it one.")
    return store.models.get(live[0].model).dataset.partition("@")[0]
