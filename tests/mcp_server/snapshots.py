"""One JSON file a tool: what a client gets to know of it. `make snapshots` writes them anew.

A change of a tool is a change of a contract: it shows in the diff of a commit, or fails the test.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from mcp import Client

from databits.actor import Actor
from databits.settings import Settings
from databits.workbench import Workbench
from mcp_server.server import build_server

FOLDER = Path(__file__).with_name("snapshots")
KEPT = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


def texts() -> dict[str, str]:
    """Tool → its snapshot, of every tool there is."""
    found: dict[str, str] = {}
    for toolsets in (["all"], ["core"]):  # `core` is where search_tools and run_tool are listed
        for tool in asyncio.run(_listed(toolsets)):
            kept = {key: tool[key] for key in KEPT if key in tool}
            found[tool["name"]] = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
    return found


async def _listed(toolsets: list[str]) -> list[dict[str, Any]]:
    """Nothing is called, so the workbench needs neither a folder nor a platform."""
    server = build_server(
        Workbench(Settings()), lambda _: Actor("ana", "admin", "mcp"), toolsets=toolsets
    )
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    made = texts()
    for path in FOLDER.glob("*.json"):
        if path.stem not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    print(f"{len(made)} snapshots in {FOLDER}")


if __name__ == "__main__":
    main()
