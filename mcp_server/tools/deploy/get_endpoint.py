from databits.model import Endpoint, Model
from databits.operation import operation
from databits.store import Store
from databits.types import EndpointName


class EndpointDetail(Endpoint):
    serves: list[Model]
    feedback: dict[str, int]


@operation(
    role="viewer",
    effect="read",
    examples=("show the endpoint X", "what does X serve", "details of endpoint X"),
)
def get_endpoint(store: Store, *, endpoint: EndpointName) -> EndpointDetail:
    """Read an endpoint: status, path, the model behind it, and its feedback counts."""
    found = store.endpoints.get(endpoint)
    scores = store.feedback.scores(store.endpoints.raw(endpoint).id)
    return EndpointDetail(
        **found.model_dump(),
        serves=[store.models.get(route.model) for route in store.endpoints.routes(endpoint)],
        feedback={"up": scores[1], "neutral": scores[0], "down": scores[-1]},
    )
