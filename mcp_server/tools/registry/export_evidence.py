from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from databits.operation import operation
from databits.store import Store
from databits.types import AssetRef

if TYPE_CHECKING:
    from databits.settings import Settings


class EvidencePack(BaseModel):
    asset: str
    path: str = Field(description="Zip on the machine of the workbench")
    sha256: str = Field(description="Of the zip")
    manifest_sha256: str = Field(description="Hand it over by another way than the pack")
    rows: dict[str, int]
    audit_head: str | None
    check: str


@operation(
    role="reviewer",
    effect="read",
    examples=(
        "export the evidence for X",
        "write an evidence pack of the endpoint X",
        "make the dossier of the model X for the auditor",
        "evidence of X for the audit",
    ),
)
def export_evidence(
    store: Store,
    settings: "Settings",
    *,
    asset: AssetRef,
    texts: Annotated[bool, Field(description="With the texts and what people wrote")] = False,
) -> EvidencePack:
    """Write a pack that proves what led to an endpoint, model or dataset: sources, decisions, approvals, files.

    It holds the audit log and a script that checks it all with Python alone, on any machine.
    """
    from databits.evidence import write_pack  # zips: not for every start of the server

    made = write_pack(store, settings.home, asset, texts=texts)
    return EvidencePack(
        asset=asset,
        path=str(made.path),
        sha256=made.sha256,
        manifest_sha256=made.manifest_sha256,
        rows=made.rows,
        audit_head=made.audit_head,
        check=f"python verify_evidence.py {made.path.name} {made.manifest_sha256}",
    )
