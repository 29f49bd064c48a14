"""Only tools that name a header have their schemas walked before each call."""

from typing import Any

from mcp_server.param_headers import only_with_headers

NAMING: dict[str, Any] = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
}
OTHER: dict[str, Any] = {"type": "object", "properties": {"region": {"type": "string"}}}


def test_a_schema_that_names_a_header_is_given() -> None:
    schemas = {"here": NAMING, "there": OTHER}
    look = only_with_headers(schemas.get)
    assert [look(name) for name in ("here", "there", "nowhere", "here")] == [
        NAMING,
        None,
        None,
        NAMING,
    ]


def test_a_tool_that_takes_the_place_of_another_is_looked_at() -> None:
    schemas = {"here": OTHER}
    look = only_with_headers(schemas.get)
    assert look("here") is None
    schemas["here"] = NAMING
    assert look("here") is NAMING
    schemas["here"] = OTHER
    assert look("here") is None
