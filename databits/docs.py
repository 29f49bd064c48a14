"""docs/tools.md and docs/settings.md, made from the code: `python -m databits.docs [--check]`."""

import sys
from pathlib import Path
from typing import Any

from databits.operation import CATALOGUE, STAGES, Operation, load_catalogue
from databits.settings import Settings

FOLDER = Path(__file__).parents[1] / "docs"
_HEAD = """# Operations

Made from the code by `make docs`; do not edit. Each operation is an MCP tool, a `databits` command
and a tool of the chat under the same name. **read** changes nothing, **write** can be undone,
**consequential** waits for a person's approval; a **job** is long and returns a run.
"""


def tools_page() -> str:
    parts = [_HEAD]
    for stage in STAGES:
        ops = sorted((op for op in CATALOGUE.values() if op.stage == stage), key=lambda op: op.name)
        parts += [f"## {stage}\n", *map(_section, ops)]
    return "\n".join(parts)


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "Made from the code by `make docs`; do not edit. Each is an environment variable, or the lower-case name",
        "without `DATABITS_` in a `databits.toml` of the current folder.",
        "",
        "| variable | means | default |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = {"home": "~/.databits", "model_key": ""}.get(name, field.default)
        shown = f"`{default}`" if default not in ("", []) else ""
        lines.append(f"| `DATABITS_{name.upper()}` | {field.description} | {shown} |")
    return "\n".join(lines) + "\n"


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
    stale = []
    for name, made in (("tools.md", tools_page()), ("settings.md", settings_page())):
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != made:
            stale.append(f"docs/{name}")
            if "--check" not in sys.argv[1:]:
                path.write_text(made, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        print(f"{', '.join(stale)}: not what the code says. Run `make docs`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
