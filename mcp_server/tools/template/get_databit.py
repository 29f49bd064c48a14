from typing import Annotated

from pydantic import Field

from databits.model import Databit
from databits.operation import operation
from databits.store import Store
from databits.template import TemplateBody
from databits.types import DatabitName


class DatabitDetail(Databit):
    body: TemplateBody
    versions: list[str]


@operation(
    role="viewer",
    effect="read",
    examples=(
        "show the databit X",
        "what are the labels of X",
        "open template X",
        "which prompt does X use",
        "which label set does X use",
    ),
)
def get_databit(
    store: Store,
    *,
    databit: DatabitName,
    version: Annotated[
        str | None, Field(description="Version, as 1.2.0; default: the newest")
    ] = None,
) -> DatabitDetail:
    """Read one version of a Databit: schema, prompt, labels with guidelines, examples."""
    found = store.databits.get(databit, version)
    summary = store.databits.summary(databit).model_dump()
    chosen = {"version": found.version, "status": found.status, "labels": found.labels}
    return DatabitDetail(
        **{**summary, **chosen}, body=found.body, versions=store.databits.versions(databit)
    )
