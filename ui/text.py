"""Results as text for a terminal: tables for pages, lines for the rest."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.cells import cell_len

from databits.model import Page, Planned, Run
from databits.visible import visible

_WIDE = 60


def render(result: BaseModel) -> str:
    """A result for a person to read."""
    if isinstance(result, Planned):
        plan = result.plan
        lines = [
            f"Plan {plan.id}: {plan.summary}",
            *(f"  - {line}" for line in plan.sample),
            "",
            result.next,
        ]
        return visible("\n".join(lines))
    if isinstance(result, Page):
        return _page(result)
    if isinstance(result, Run) and result.result is not None:
        return f"Run {result.id} ({result.operation}) {result.state}.\n" + _lines(result.result)
    return _lines(result.model_dump())


def _page(page: Page[Any]) -> str:
    rows = [row.model_dump() for row in page.rows]
    if not rows:
        return "none"
    names = [name for name in rows[0] if any(row[name] not in (None, {}, []) for row in rows)]
    table = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(cell_len(line[n]) for line in table) for n in range(len(names))]
    lines = [
        "  ".join(
            cell + " " * (w - cell_len(cell)) for cell, w in zip(line, widths, strict=True)
        ).rstrip()
        for line in table
    ]
    lines.insert(1, "  ".join("-" * w for w in widths))
    more = f" More: --after {page.next}" if page.next is not None else ""
    return "\n".join([*lines, "", f"{len(rows)} of {page.total}.{more}"])


def _lines(values: dict[str, Any], indent: str = "") -> str:
    lines: list[str] = []
    for name, value in values.items():
        if value == [] and not indent:
            lines.append(f"{name}: none")  # a queue that has nothing left is an answer
        if value in (None, [], {}):
            continue
        if isinstance(value, dict) and not _short(value):
            lines += [f"{indent}{visible(str(name))}:", _lines(value, indent + "  ")]
        elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
            lines.append(f"{indent}{name}:")
            lines += [f"{indent}  - {_cell(v, 400)}" for v in value]
        else:
            lines.append(f"{indent}{visible(str(name))}: {_cell(value, 2000)}")
    return "\n".join(lines)


def _short(value: dict[Any, Any]) -> bool:
    return all(not isinstance(v, dict | list) for v in value.values()) and len(value) <= 12


def _cell(value: Any, width: int = _WIDE) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        text = ", ".join(
            f"{k}: {_cell(v, width)}" for k, v in value.items() if v not in (None, [], {})
        )
    elif isinstance(value, list):
        text = ", ".join(_cell(v, width) for v in value)
    else:
        text = str(value)
    text = visible(" ".join(text.split()))
    return text if len(text) <= width else text[: width - 1] + "…"
