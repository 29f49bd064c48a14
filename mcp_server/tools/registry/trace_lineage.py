from typing import Annotated, Literal

from pydantic import BaseModel, Field

from databits.operation import operation
from databits.store import Store
from databits.types import AssetRef

FAN = 5  # nodes of one kind that are followed from each node


class LineageEdge(BaseModel):
    source: str
    relation: str
    target: str
    of: int = Field(description="How many such neighbours there are; at most 5 are followed")


class LineageGraph(BaseModel):
    asset: str
    up: list[LineageEdge] = Field(description="What it was made from")
    down: list[LineageEdge] = Field(description="What was made from it")


@operation(
    role="viewer",
    effect="read",
    examples=(
        "where does X come from",
        "lineage of X",
        "trace X to its source",
        "what depends on X",
        "which data trained X",
        "where does the endpoint X come from",
        "which data was the model X trained on",
    ),
)
def trace_lineage(
    store: Store,
    *,
    asset: AssetRef,
    direction: Annotated[
        Literal["both", "up", "down"], Field(description="Towards the source, or away")
    ] = "both",
    depth: Annotated[int, Field(description="Steps", ge=1, le=8)] = 6,
) -> LineageGraph:
    """Trace an asset to the source spans it was made from, and to what was made from it."""
    start = store.lineage.find(asset)

    def edges(up: bool) -> list[LineageEdge]:
        if direction not in ("both", "up" if up else "down"):
            return []
        return [
            LineageEdge(
                source=store.lineage.label(a),
                relation=relation,
                target=store.lineage.label(b),
                of=total,
            )
            for a, relation, b, total in store.lineage.walk(start, up=up, depth=depth, fan=FAN)
        ]

    return LineageGraph(asset=store.lineage.label(start), up=edges(True), down=edges(False))
