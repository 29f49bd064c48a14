"""The words callers use, each described once.

`x-entity` names the kind of thing a value must be, so that the chat's planner and the forms can
offer the ones that exist.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
# Account names and mail addresses; one spelling each, or four eyes could be two of the same.
PERSON = r"^[a-z0-9][a-z0-9._+@-]{0,118}$"


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


DatabitName = Annotated[
    str, Field(description="Databit, by name", json_schema_extra={"x-entity": "databit"})
]
NewName = Annotated[
    str,
    BeforeValidator(_lower),  # to_lower= would come after the pattern
    StringConstraints(pattern=NAME),
    Field(
        description="New name: lower-case letters, digits, - and _",
        json_schema_extra={"x-entity": "new-name"},
    ),
]
SourceName = Annotated[
    str, Field(description="Source, by name", json_schema_extra={"x-entity": "source"})
]
EndpointName = Annotated[
    str, Field(description="Endpoint, by name", json_schema_extra={"x-entity": "endpoint"})
]
NewEndpointName = Annotated[
    str,
    BeforeValidator(_lower),  # to_lower= would come after the pattern
    StringConstraints(pattern=NAME),
    Field(
        description="Endpoint, existing or new", json_schema_extra={"x-entity": "endpoint-or-new"}
    ),
]
ModelRef = Annotated[
    str,
    Field(
        description="Model as name@version; a bare name means its newest version",
        json_schema_extra={"x-entity": "model"},
    ),
]
DatasetRef = Annotated[
    str,
    Field(
        description="Dataset as name@number; a bare name means its newest",
        json_schema_extra={"x-entity": "dataset"},
    ),
]
# kinds of assets in a lineage
KINDS = (
    "source",
    "record",
    "item",
    "databit",
    "dataset",
    "model",
    "endpoint",
    "request",
    "feedback",
    "tool",
)
AssetRef = Annotated[
    str,
    Field(
        description="kind:id, as in item:12, model:support@1, endpoint:support, feedback:3",
        json_schema_extra={"x-entity": "asset"},
    ),
]
ItemId = Annotated[int, Field(description="Item id", ge=1, json_schema_extra={"x-entity": "item"})]
ItemIds = Annotated[
    list[int],
    Field(
        description="Item ids",
        min_length=1,
        max_length=500,
        json_schema_extra={"x-entity": "items"},
    ),
]
RunId = Annotated[int, Field(description="Run id", ge=1, json_schema_extra={"x-entity": "run"})]
ChangeId = Annotated[
    int, Field(description="Change id", ge=1, json_schema_extra={"x-entity": "change"})
]
PlanId = Annotated[int, Field(description="Plan id", ge=1, json_schema_extra={"x-entity": "plan"})]
TokenId = Annotated[
    int, Field(description="Token id", ge=1, json_schema_extra={"x-entity": "token"})
]
PersonName = Annotated[
    str,
    BeforeValidator(_lower),
    StringConstraints(pattern=PERSON),
    Field(description="Person, by name", json_schema_extra={"x-entity": "person"}),
]
Label = Annotated[
    str,
    Field(
        description="A label of the Databit", max_length=80, json_schema_extra={"x-entity": "label"}
    ),
]
Reason = Annotated[str, Field(description="Why, in a sentence", max_length=2000)]
Limit = Annotated[int, Field(description="Rows a page", ge=1, le=200)]
After = Annotated[int, Field(description="`next` of the page before; 0 starts", ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
