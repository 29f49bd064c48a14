"""`databits mcp`: a process that answers soon, because it loads nothing that it does not need yet."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

HEAVY = (
    "sqlalchemy",
    "mlflow",
    "gradio",
    "langgraph",
    "langchain",
    "databricks",
    "sklearn",
    "pandas",
    "numpy",
)

SERVE = """
from databits.settings import Settings
from mcp_server.stdio import main

main(Settings(user="ana"), toolsets=["template", "curate"])
"""

LIST = """
import json, sys
import anyio
from mcp import Client
from databits.settings import Settings
from databits.workspace import Workspace
from mcp_server.auth import identify_local
from mcp_server.server import build_server

async def tools():
    async with Client(build_server(Workspace(Settings(), stays=True), identify_local(Settings()))) as client:
        return len((await client.list_tools()).tools)

print(json.dumps({"tools": anyio.run(tools), "modules": sorted(sys.modules)}))
"""


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DATABITS_HOME": str(home)}


def test_listing_the_tools_imports_no_engine_and_opens_no_database(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIST],
        cwd=tmp_path,
        env=_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)
    assert found["tools"] > 10
    packages = {name.partition(".")[0] for name in found["modules"]}
    assert not packages & set(HEAVY)
    assert not (tmp_path / "home").exists()


@pytest.mark.anyio
async def test_a_client_of_another_make_works_over_standard_input_and_output(
    tmp_path: Path,
) -> None:
    transport = StdioTransport(
        sys.executable, ["-c", SERVE], env=_environment(tmp_path / "home"), cwd=str(tmp_path)
    )
    async with Client(transport) as client:
        names = {tool.name for tool in await client.list_tools()}
        made = await client.call_tool("create_databit", {"name": "mail", "labels": ["a", "b"]})
        listed = await client.call_tool("list_databits", {})
    assert "import_files" not in names
    assert made.structured_content is not None
    assert made.structured_content["version"] == "1.0.0"
    assert listed.structured_content is not None
    assert listed.structured_content["total"] == 1
