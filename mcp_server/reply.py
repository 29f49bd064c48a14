"""Results as a client gets them: `structuredContent` for programs, lean text for models.

The text says everything the structured content says, in about a third of the tokens of indented
JSON: one line a field, empty fields left out, and a list of objects as a table whose rows are JSON
arrays, so that a line break or a quote inside data can not look like structure.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from databits.errors import DatabitsError
from databits.visible import visible, visible_json
from mcp_server.untrusted import Path, untrusted_in

UNTRUSTED = "databits/untrusted"
"""Key of a result's `_meta`: where in the structured content texts from files are."""
_SCALARS = frozenset((str, int, float, bool, type(None)))


def reply(
    done: BaseModel,
    hint: str = "",
    meta: dict[str, Any] | None = None,
    kind: type[BaseModel] | None = None,
) -> CallToolResult:
    """A result.

    Args:
        hint: A last line for the model that the output schema has no field for.
        kind: What it is declared to be, which says more than its class: a page, of what.
    """
    content = done.model_dump(mode="json")
    marked = untrusted_in(kind or type(done))
    text = as_text(content, marked)
    if marked:
        meta = {**(meta or {}), UNTRUSTED: sorted(map(".".join, marked))}
    return CallToolResult(
        content=[TextContent(type="text", text=f"{text}\n{hint}" if hint else text)],
        structured_content=content,
        _meta=meta,
    )


def refusal(error: DatabitsError) -> CallToolResult:
    """An anticipated failure; its first words name its kind, so that callers can tell them apart."""
    text = visible(f"{error.phrase}: {error}")
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def as_text(content: Mapping[str, Any], untrusted: Collection[Path] = ()) -> str:
    """The content of a result as lines of text; fields and columns with untrusted texts end in `!`.

    Such a text is always in quotes, with what does not show spelled out: no line is made by it.
    """
    lines = [line for key, value in content.items() for line in _field(key, value, untrusted)]
    return "\n".join(lines) or "nothing"


def _field(key: str, value: Any, untrusted: Collection[Path]) -> list[str]:
    if _empty(value):
        return []
    whole = (key,) in untrusted
    inner = {path[1] for path in untrusted if path[0] == key and len(path) > 1}
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return _table(f"{key}!" if whole else key, value, inner)
    if whole or inner:
        return [f"{key}!: {_json(_without_empty(value))}"]
    return [f"{key}: {value if _is_plain(value) else _json(_without_empty(value))}"]


def _table(key: str, rows: Sequence[Mapping[str, Any]], untrusted: Collection[str]) -> list[str]:
    """A heading with the columns that hold something, then a JSON array a row."""
    columns = _columns(rows)
    named = [f"{name}!" if name in untrusted else name for name in columns]
    heading = f"{key} ({', '.join(named)}):"
    return [
        heading,
        *map(_json, zip(*columns.values(), strict=True) if columns else [()] * len(rows)),
    ]


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What rows hold, by name; names under which none of them holds anything are left out."""
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys(chain.from_iterable(rows)):
        values = [row.get(name) for row in rows]
        if any(values) or not all(map(_empty, values)):
            flat = _SCALARS.issuperset(map(type, values))
            found[name] = values if flat else list(map(_without_empty, values))
    return found


def _is_plain(value: Any) -> bool:
    """A text that can stand without quotes: one line, and no number or bracket to mistake it for."""
    return isinstance(value, str) and value.isprintable() and value[:1].isalpha()


def _empty(value: Any) -> bool:
    return not value and (value is None or isinstance(value, (str, list, dict)))


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_empty(v) for key, v in value.items() if v or not _empty(v)}
    return [_without_empty(v) for v in value] if isinstance(value, list) else value


def _json(value: Any) -> str:
    return visible_json(value)
