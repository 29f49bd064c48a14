"""What a tool takes: the schema as a model reads it, and arguments as clients send them."""

from typing import Any, Self

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from pydantic_core import from_json

from databits.operation import Operation

ENTITY = "x-entity"  # of what kind the thing is that an argument names; see databits/types.py


def model_schema(op: Operation) -> dict[str, Any]:
    """The input schema without what only the workbench's own surfaces use: a twelfth of the tokens."""
    return _without_entities(op.input_schema)  # type: ignore[no-any-return]


def entities(op: Operation) -> dict[str, str]:
    """What kind of thing each argument names; `[]` behind the name says that it is a list of them."""
    found = {}
    for name, schema in op.input_schema["properties"].items():
        for key, part in ((name, schema), (f"{name}[]", schema.get("items", {}))):
            if ENTITY in part:
                found[key] = part[ENTITY]
    return found


def with_entities(schema: dict[str, Any], named: dict[str, str]) -> dict[str, Any]:
    """The schema that `model_schema` and `entities` were made from."""
    properties = dict(schema.get("properties", {}))
    for key, entity in named.items():
        name = key.removesuffix("[]")
        part = properties.get(name, {})
        if key == name:
            properties[name] = {**part, ENTITY: entity}
        else:
            properties[name] = {**part, "items": {**part.get("items", {}), ENTITY: entity}}
    return {**schema, "properties": properties}


class AsTheyCame(FuncMetadata):
    """Arguments go on unchecked: the operation checks them, and words what is wrong with them."""

    properties: dict[str, Any] = {}

    @classmethod
    def of(cls, takes: dict[str, Any], gives: dict[str, Any] | None) -> Self:
        """For a tool with these schemas."""
        return cls(arg_model=ArgModelBase, output_schema=gives, properties=takes["properties"])

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        given = arguments_to_validate.items()
        return {"arguments": {name: unquoted(v, self.properties.get(name)) for name, v in given}}


def unquoted(value: Any, schema: dict[str, Any] | None) -> Any:
    """A list or object that a client sent as JSON in a string, which some do, as what it is.

    It is read as the message around it was: what nests deeper than a message may, stays a string.
    """
    if not isinstance(value, str) or schema is None:
        return value
    kinds = {part.get("type") for part in (schema, *schema.get("anyOf", ()))}
    if "string" in kinds or not kinds & {"array", "object"}:
        return value
    try:
        return from_json(value)
    except ValueError:
        return value


def _without_entities(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_entities(part) for key, part in schema.items() if key != ENTITY}
    return [_without_entities(part) for part in schema] if isinstance(schema, list) else schema
