from typing import Annotated

from pydantic import BaseModel, Field

from databits.operation import operation
from databits.pipeline import Stage, stages
from databits.store import Store
from databits.types import DatabitName


class Pipeline(BaseModel):
    databit: str | None
    stages: list[Stage]
    next: str = Field(description="What to do next")


@operation(
    role="viewer",
    effect="read",
    examples=(
        "where do we stand with X",
        "show the pipeline of X",
        "what should I do next",
        "overview of X",
        "what now",
    ),
)
def get_pipeline(
    store: Store,
    *,
    databit: Annotated[DatabitName | None, Field(description="Default: the newest")] = None,
) -> Pipeline:
    """Show the seven stages of a Databit at a glance, and what to do next."""
    name = databit or next(reversed([d.name for _, d in store.databits.page(0, 200)]), None)
    if name is not None:
        store.databits.get(name)
    found = stages(store, name)
    todo = next((s for s in found if s.state != "done"), None)
    return Pipeline(
        databit=name,
        stages=found,
        next=todo.next if todo else "Review the candidates and train again.",
    )
