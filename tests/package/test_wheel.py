"""What `uvx databits-workbench mcp` runs: the wheel's files, in a project with names like ours."""

import shutil
import subprocess
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from databits_workbench.__main__ import OURS
from tests.package.conftest import Installed, tools_of

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project whose folders are named as our packages are."""
    for name in OURS:
        (tmp_path / "project" / name).mkdir(parents=True)
        file = tmp_path / "project" / name / "__init__.py"
        file.write_text(f"raise SystemExit('this is the project\\'s {name}')\n", encoding="utf-8")
    return tmp_path / "project"


@pytest.mark.parametrize("command", ["databits", "databits-workbench"])
async def test_both_commands_of_the_wheel_serve_the_tools(
    installed: Installed, tmp_path: Path, command: str
) -> None:
    tools = await tools_of(installed.bin / command, ["mcp"], cwd=tmp_path)
    assert {"get_pipeline", "list_items", "get_run"} <= tools


async def test_a_project_with_folders_of_our_names_does_not_get_in_the_way(
    installed: Installed, project: Path
) -> None:
    ways = [
        (installed.bin / "databits-workbench", ["mcp"], {}),
        (installed.bin / "databits-workbench", ["mcp"], {"PYTHONPATH": "."}),
        (installed.bin / "python", ["-m", "databits_workbench", "mcp"], {}),
    ]
    for command, args, env in ways:
        assert "get_pipeline" in await tools_of(command, args, cwd=project, env=env)


async def test_neither_do_they_hide_the_packages_from_a_worker(
    installed: Installed, project: Path, tmp_path: Path
) -> None:
    rows = [f"{word} {n}" for word in ("hello", "bye") for n in range(10)]
    (tmp_path / "mail.csv").write_text("\n".join(["text", *rows]), encoding="utf-8")
    hello, bye = list(range(1, 11)), list(range(11, 21))
    server = StdioServerParameters(
        command=str(installed.bin / "databits"),
        args=["mcp"],
        cwd=project,
        env={"HOME": str(tmp_path), "PYTHONPATH": "."},
    )
    async with Client(stdio_client(server)) as client:
        for name, arguments in (
            ("import_files", {"path": str(tmp_path / "mail.csv")}),
            ("create_databit", {"name": "mail", "labels": ["greeting", "parting"]}),
            ("queue_items", {"databit": "mail"}),
            ("correct_labels", {"databit": "mail", "items": hello, "label": "greeting"}),
            ("correct_labels", {"databit": "mail", "items": bye, "label": "parting"}),
        ):
            assert not (await client.call_tool(name, arguments)).is_error
        started = await client.call_tool("assemble_dataset", {"databit": "mail"})
        assert started.structured_content is not None
        run = started.structured_content
        while run["state"] in ("queued", "running"):
            waited = await client.call_tool("get_run", {"run": run["id"], "wait_s": 20})
            assert waited.structured_content is not None
            run = waited.structured_content
    log = (tmp_path / ".databits/worker.log").read_text(encoding="utf-8")
    assert run["state"] == "succeeded", (run["error"], log)
    assert "this is the project" not in log


def test_a_package_that_has_overwritten_ours_is_named(installed: Installed, tmp_path: Path) -> None:
    # As it is when another distribution brings a package of that name into the same environment.
    shutil.copytree(installed.packages.parents[2], tmp_path / "env", symlinks=True)
    (packages,) = (tmp_path / "env/lib").glob("python*/site-packages")
    for file in (packages / "mcp_server").glob("*.py"):
        file.write_text("", encoding="utf-8")
    ran = subprocess.run(
        [tmp_path / "env/bin/python", "-m", "databits_workbench", "mcp"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("Not ready: the Python package `mcp_server`")
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""
