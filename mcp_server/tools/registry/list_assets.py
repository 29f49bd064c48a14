from typing import Annotated

from pydantic import Field

from databits.model import Moment, Noun, Page
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import ASSET_KINDS, AssetKind, AssetRow
from databits.types import After, Limit


class Asset(Noun):
    asset: str = Field(description="kind:id, for get_asset and trace_lineage")
    owner: str = Field("", description="Who made it")
    since: Moment
    production: bool = Field(False, description="Part of what answers requests now")
    used_by: list[str] = Field([], description="At most 3 of what was made from it or serves it")
    sha256: str = Field("", description="Of its content, for datasets and tools")

    @classmethod
    def of(cls, found: AssetRow) -> "Asset":
        return cls(
            asset=found.ref,
            owner=found.owner,
            since=found.since,
            production=found.production,
            used_by=found.used_by,
            sha256=found.sha256,
        )


@operation(
    role="viewer",
    effect="read",
    examples=(
        "list all assets",
        "show the registry",
        "which assets are in production",
        "list the registered tools",
        "who owns which assets",
    ),
)
def list_assets(
    store: Store,
    *,
    kind: Annotated[AssetKind | None, Field(description="Only these")] = None,
    production: Annotated[bool, Field(description="Only what answers requests now")] = False,
    after: After = 0,
    limit: Limit = 20,
) -> Page[Asset]:
    """List registered assets: endpoints, models, datasets, Databits and tools, with owners and users."""
    kinds = ASSET_KINDS if kind is None else (kind,)
    found = store.assets.page(kinds, production, after, limit + 1)
    rows = [(one.at, Asset.of(one)) for one in found]
    return Page.of(rows, limit, store.assets.count(kinds, production))
