from typing import Annotated, Literal

from pydantic import BaseModel, Field

from databits.operation import operation
from databits.store import Store
from databits.store.shapes import Edge
from databits.types import AssetRef

FAN = 5  # nodes of one kind that are followed from each node


class LineageEdge(BaseModel):
    source: str
    relation: str
    target: str
    of: int = Field(description="How many such neighbours there are; at most 5 are followed")
    more: bool = Field(False, description="There are more than `of`: counting ends at 10,000")


class LineageGraph(BaseModel):
    asset: str
    up: list[LineageEdge] = Field(description="What it was made from")
    down: list[LineageEdge] = Field(description="What was made from it")
    spans: dict[str, str] = Field(
        {},
        description="Where the asset and the records were read: file, and line, page, box or characters",
    )


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
    label = store.lineage.label

    def walk(up: bool) -> list[Edge]:
        wanted = direction in ("both", "up" if up else "down")
        return store.lineage.walk(start, up=up, depth=depth, fan=FAN) if wanted else []

    def told(edges: list[Edge]) -> list[LineageEdge]:
        return [
            LineageEdge(source=label(a), relation=relation, target=label(b), of=total, more=more)
            for a, relation, b, total, more in edges
        ]

    up, down = walk(True), walk(False)
    read = [start, *(e.target for e in (*up, *down) if e.target.kind == "record")]
    spans = {label(node): where for node, where in store.lineage.spans(read).items()}
    return LineageGraph(asset=label(start), up=told(up), down=told(down), spans=spans)
