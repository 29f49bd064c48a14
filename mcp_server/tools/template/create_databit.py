from typing import Annotated

from pydantic import Field

from databits.actor import Actor
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.template import LabelSpec, TemplateBody, default_body
from databits.types import NewName


class DatabitCreated(Changed):
    name: str
    version: str
    labels: list[str]


@operation(
    role="reviewer",
    effect="write",
    examples=(
        "create a databit called X with the labels a, b and c",
        "new template named X: labels a, b, c",
        "make a databit X for sorting tickets into a, b, c",
        "set up a labelling task X with categories a, b, c",
    ),
)
def create_databit(
    store: Store,
    actor: Actor,
    *,
    name: NewName,
    labels: Annotated[
        list[str],
        Field(
            description="Label names",
            min_length=2,
            max_length=200,
            json_schema_extra={"x-entity": "new-labels"},
        ),
    ],
    description: Annotated[
        str, Field(description="What is labelled, and for what", max_length=2000)
    ] = "",
    guidelines: Annotated[
        dict[str, str] | None, Field(description="Label → when it applies")
    ] = None,
    prompt: Annotated[
        str | None, Field(description="Prompt with {{ text }}; default: written for you")
    ] = None,
) -> DatabitCreated:
    """Create a Databit: a versioned prompt template with its schema and label set.

    Its first version, 1.0.0, is a draft.
    """
    specs = [LabelSpec(name=label, guideline=(guidelines or {}).get(label, "")) for label in labels]
    body = default_body(description, specs)
    if prompt is not None:
        body = TemplateBody.model_validate({**body.model_dump(), "prompt": prompt})
    made = store.databits.create(name, body, actor.name)
    return DatabitCreated(name=name, version=made.version, labels=made.labels)
