"""The MCPB bundle, which installs the server into Claude Desktop with a double click: what goes into it.

    python -m desktop.build FOLDER

`make mcpb` lays the folder out with this, and has it checked and packed by the format's own program.
No dependency is in it: the host has uv install what uv.lock pins.
"""

import argparse
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.types import Tool

from databits.settings import Settings
from databits.workspace import Workspace
from mcp_server.auth import identify_local
from mcp_server.server import build_server

ROOT = Path(__file__).resolve().parent.parent
FILES = ("pyproject.toml", "uv.lock", "README.md", "LICENSE")
ENTRY = "databits_workbench/__main__.py"


def main() -> None:
    parser = argparse.ArgumentParser(description="Lay the bundle out, ready to be packed.")
    parser.add_argument("folder", type=Path, help="where; what is there already is replaced")
    lay_out(parser.parse_args().folder)


def lay_out(folder: Path) -> None:
    """Write the bundle's files into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(ROOT / package, folder / package, ignore=unwanted)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    said = json.dumps(manifest(project["project"]), indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(f"{said}\n", encoding="utf-8")


def manifest(project: dict[str, Any]) -> dict[str, Any]:
    """The manifest, from what pyproject.toml and the server itself say."""
    return {
        "manifest_version": "0.4",
        "name": project["name"],
        "display_name": "Databits Workbench",
        "version": project["version"],
        "description": project["description"],
        "author": {"name": project["authors"][0]["name"]},
        "license": project["license"],
        "keywords": project["keywords"],
        "server": {"type": "uv", "entry_point": ENTRY, "mcp_config": _command()},
        "tools": [
            {"name": tool.name, "description": (tool.description or "").partition("\n")[0]}
            for tool in anyio.run(_tools)
        ],
        "tools_generated": True,  # other stages, and read-only, offer others
        "user_config": _asked(),
        "compatibility": {
            "platforms": ["darwin", "linux"],
            "runtimes": {"python": project["requires-python"]},
        },
    }


async def _tools() -> list[Tool]:
    """What the server lists to whoever has chosen nothing."""
    settings = Settings(role="admin", read_only=False)
    usual: list[str] = Settings.model_fields["toolsets"].get_default()
    server = build_server(Workspace(settings), identify_local(settings), toolsets=usual)
    async with Client(server) as client:
        return sorted((await client.list_tools()).tools, key=lambda tool: tool.name)


def _command() -> dict[str, Any]:
    # `--option=${…}` in one word: hosts leave a word that is nothing but a variable as it is when
    # the variable is empty.
    return {
        "command": "uv",
        "args": [
            "run",
            "--directory=${__dirname}",
            "--frozen",
            "--no-dev",
            "databits-workbench",
            "mcp",
            "--toolsets=${user_config.toolsets}",
            "--read-only=${user_config.read_only}",
        ],
        "env": {"DATABITS_HOME": "${user_config.folder}"},
    }


def _asked() -> dict[str, Any]:
    """What the host asks its user before it starts the server."""
    return {
        "folder": {
            "type": "directory",
            "title": "Workspace folder",
            "description": "Where the database, files and models are kept.",
            # Not a default in the home folder: hosts do not resolve one variable inside another.
            "required": True,
        },
        "toolsets": {
            "type": "string",
            "title": "Stages",
            "description": "Offer the tools of these stages only, as `curate,train`; empty: the usual ones.",
            "default": "",
            "required": False,
        },
        "read_only": {
            "type": "boolean",
            "title": "Read only",
            "description": "Offer only tools that change nothing.",
            "default": False,
            "required": False,
        },
    }


if __name__ == "__main__":
    main()
