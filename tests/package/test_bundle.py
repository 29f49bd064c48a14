"""The file for Claude Desktop and the entry for registries: valid, small, and true."""

import json
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from desktop.build import lay_out
from tests.nodes import MODULES, node, package
from tests.package.conftest import ROOT, Installed, tools_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REGISTRY = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
MCPB = package("@anthropic-ai/mcpb", "dist/cli/cli.js")

# What the host makes of the manifest: its command, with the user's answers filled in.
FILLED_IN = """
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";
import { readFileSync } from "node:fs";
const [file, answers] = process.argv.slice(2);
const config = await getMcpConfigForManifest({
  manifest: JSON.parse(readFileSync(file, "utf8")),
  extensionPath: "/bundle", systemDirs: { HOME: "/home/ana" }, pathSeparator: "/",
  userConfig: JSON.parse(answers),
});
console.log(JSON.stringify(config ?? null));
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_the_registry_entry_names_this_version_and_this_package() -> None:
    (entry,) = REGISTRY["packages"]
    assert REGISTRY["version"] == entry["version"] == PROJECT["version"]
    assert entry["identifier"] == PROJECT["name"]
    assert entry["identifier"] in PROJECT["scripts"], "what uvx runs"
    assert len(REGISTRY["description"]) <= 100, "the registry takes no more"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"mcp-name: (\S+)", readme)[1] == REGISTRY["name"]  # type: ignore[index]


@pytest.mark.slow
def test_the_formats_own_program_takes_and_packs_it(folder: Path, tmp_path: Path) -> None:
    checked = node(MCPB, "validate", folder / "manifest.json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    packed = tmp_path / "databits-workbench.mcpb"
    made = node(MCPB, "pack", folder, packed)
    assert made.returncode == 0, made.stdout + made.stderr
    assert packed.stat().st_size < 2_000_000
    with zipfile.ZipFile(packed) as bundle:
        names = bundle.namelist()
        entry = json.loads(bundle.read("manifest.json"))["server"]["entry_point"]
    assert {entry, "uv.lock", "mcp_server/server.py", "prompts/supervisor.md"} <= set(names)
    assert not [name for name in names if "test" in name or "__pycache__" in name]


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answers", "writes", "trains"),
    [({}, True, True), ({"toolsets": "curate", "read_only": True}, False, False)],
)
async def test_the_command_a_host_makes_of_it_works(
    installed: Installed,
    folder: Path,
    tmp_path: Path,
    answers: dict[str, Any],
    writes: bool,
    trains: bool,
) -> None:
    home = tmp_path / "workspace"
    command = filled_in(folder, {"folder": str(home), **answers})
    assert command["command"] == "uv"
    assert command["env"] == {"DATABITS_HOME": str(home)}
    start = command["args"].index("databits-workbench")
    assert command["args"][:start] == ["run", "--directory=/bundle", "--frozen", "--no-dev"]
    program = installed.bin / "databits-workbench"  # uv would install it first
    tools = await tools_of(program, command["args"][start + 1 :], cwd=tmp_path)
    assert "list_items" in tools
    assert ("approve_labels" in tools) is writes
    assert ("launch_fine_tune" in tools) is trains


@pytest.mark.slow
def test_a_host_does_not_start_it_without_a_folder(folder: Path) -> None:
    assert filled_in(folder, {}) is None


def filled_in(folder: Path, answers: dict[str, Any]) -> Any:
    assert MODULES.exists(), "run make test, or npm ci in tests/node"
    ran = node(
        "--input-type=module", "-e", FILLED_IN, "-", folder / "manifest.json", json.dumps(answers)
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
