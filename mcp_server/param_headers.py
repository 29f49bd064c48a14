"""Arguments that are headers of the request too (`x-mcp-header`), and the many tools without any.

The transport compares such headers with the arguments. It walks the whole schema of a tool for that
before each call, twice; our tools name no header, so all of that would be in vain.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mcp.shared.inbound import X_MCP_HEADER_KEY
from pydantic_core import to_json

Schema = Mapping[str, Any]
SchemaOf = Callable[[str], Schema | None]

_KEY = X_MCP_HEADER_KEY.encode()


def only_with_headers(schema_of: SchemaOf) -> SchemaOf:
    """`schema_of`, which gives a tool's input schema by name, for tools whose schema names a header.

    Of any other it gives none: there is nothing to compare then.
    """
    known: dict[str, tuple[Schema, Schema | None]] = {}

    def look(name: str) -> Schema | None:
        schema = schema_of(name)
        if schema is None:
            return None
        seen = known.get(name)
        if seen is None or seen[0] is not schema:  # another tool may have taken the name
            known[name] = seen = (schema, schema if _KEY in to_json(schema) else None)
        return seen[1]

    return look
