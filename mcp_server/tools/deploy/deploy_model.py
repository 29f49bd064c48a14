from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from databits.change import Work
from databits.errors import Conflict
from databits.model import Changed
from databits.operation import Preview, operation
from databits.store import Store
from databits.types import ModelRef, NewEndpointName

if TYPE_CHECKING:
    from databits.ports import Serving


class Deployed(Changed):
    endpoint: str
    model: str
    path: str
    replaced: str | None = Field(None, description="The model that answered before")


def preview(store: Store, *, model: str, endpoint: str | None) -> Preview:
    chosen = store.models.get(model)
    name = endpoint or store.models.raw(model).name
    live = store.endpoints.routes(name) if store.endpoints.find(name) else []
    before = ", ".join(route.model for route in live)
    if before == chosen.name:
        raise Conflict(f"{name} serves {chosen.name} already. query_endpoint asks it.")
    accuracy = chosen.accuracy
    return Preview(
        summary=f"Deploy {chosen.name} to the endpoint {name}"
        + (f", in place of {before}." if before else ", which is new."),
        sample=[
            f"100 % of the traffic of {name} goes to {chosen.name}",
            f"held-out accuracy {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"
            if accuracy
            else "not evaluated yet: evaluate_model measures it",
        ],
        cost="memory of this machine while it serves; no charge",
        basis={"model": chosen.name, "endpoint": name, "before": before},
    )


@operation(
    role="engineer",
    effect="consequential",
    job=True,
    preview=preview,
    examples=(
        "deploy X",
        "put the model X into production",
        "serve X",
        "go live with X",
        "deploy X to the endpoint Y",
        "ship the model X",
    ),
)
def deploy_model(
    work: Work,
    serving: "Serving",
    *,
    model: ModelRef,
    endpoint: Annotated[
        NewEndpointName | None,
        Field(description="Endpoint, existing or new; default: the model's name"),
    ] = None,
) -> Deployed:
    """Deploy a model to an endpoint, after a smoke test on held-out rows; traffic moves in one step.

    When the smoke test fails nothing moves. undo_change sends the traffic back.
    """
    chosen = work.read(lambda store: store.models.raw(model))
    name = endpoint or chosen.name
    work.progress(0.1, "loading the model for a smoke test")
    rows = work.read(lambda store: store.datasets.rows(chosen.dataset_id))
    serving.smoke_test(chosen.uri, [row.text for row in rows[:8]])

    def write(store: Store) -> Deployed:
        before = (
            ", ".join(r.model for r in store.endpoints.routes(name))
            if store.endpoints.find(name)
            else ""
        )
        store.endpoints.route_all(name, chosen.id)
        made = store.endpoints.get(name)
        return Deployed(
            endpoint=name,
            model=f"{chosen.name}@{chosen.version}",
            path=made.path,
            replaced=before or None,
        )

    return work.commit(write)
