"""docs/tools.md, made from the catalogue: `python -m databits.docs [--check]`."""

import sys
from pathlib import Path
from typing import Any

from databits.operation import CATALOGUE, STAGES, Operation, load_catalogue

PAGE = Path(__file__).parents[1] / "docs" / "tools.md"
_HEAD = """# Operations

Made from the code by `make docs`; do not edit. Each operation is an MCP tool, a `databits` command
and a tool of the chat under the same name. **read** changes nothing, **write** can be undone,
**consequential** waits for a person's approval; a **job** is long and returns a run.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for stage in STAGES:
        ops = sorted((op for op in CATALOGUE.values() if op.stage == stage), key=lambda op: op.name)
        parts += [f"## {stage}\n", *map(_section, ops)]
    return "\n".join(parts)


def _section(op: Operation) -> str:
    marks = [op.effect, *(["job"] if op.job else []), *(["people only"] if op.people_only else [])]
    lines = [f"### {op.name}", "", f"{', '.join(marks)} · role {op.role}", "", op.description, ""]
    properties = op.input_schema["properties"]
    if properties:
        required = op.input_schema.get("required", [])
        lines += ["| argument | type | means | default |", "|---|---|---|---|"]
        lines += [_row(name, schema, name in required) for name, schema in properties.items()]
        lines.append("")
    lines += ["In the chat: " + "; ".join(f"“{example}”" for example in op.examples[:3]) + ".", ""]
    return "\n".join(lines)


def _row(name: str, schema: dict[str, Any], required: bool) -> str:
    default = "required" if required else f"`{schema['default']}`" if "default" in schema else ""
    means = str(schema.get("description", "")).replace("|", "\\|")
    return f"| `{name}` | {_type(schema)} | {means} | {default} |"


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {schema['items'].get('type', 'values')}s"
    return str(schema.get("type", "value"))


def main() -> int:
    load_catalogue()
    made = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
            print("docs/tools.md is not what the code says: run `make docs`.", file=sys.stderr)
            return 1
        return 0
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
