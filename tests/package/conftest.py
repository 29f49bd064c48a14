"""The package as users get it: a wheel, installed where the source is not."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

ROOT = Path(__file__).parents[2]


class Installed(NamedTuple):
    """An environment with the wheel in it."""

    bin: Path
    packages: Path


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel's own files in an environment of their own; only the dependencies are lent."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--offline", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    uv("venv", "--offline", "--quiet", "--python", sys.executable, folder / "env")
    python = folder / "env/bin/python"
    uv("pip", "install", "--offline", "--quiet", "--no-deps", "--python", python, wheel)
    (packages,) = (folder / "env/lib").glob("python*/site-packages")
    # After the wheel's folder on the path; .pth files in there, which name the source, do not count.
    lent = sysconfig.get_path("purelib")
    (packages / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
    return Installed(folder / "env/bin", packages)


def uv(*words: str | Path) -> None:
    program = os.environ.get("UV") or shutil.which("uv") or ROOT / ".uv/bin/uv"
    subprocess.run([program, *words], check=True, cwd=ROOT)


async def tools_of(
    command: str | Path, args: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None
) -> set[str]:
    """Start a server as a host does, and list its tools."""
    server = StdioServerParameters(
        command=str(command), args=list(args), cwd=cwd, env={"HOME": str(cwd), **(env or {})}
    )
    async with Client(stdio_client(server)) as client:
        return {tool.name for tool in (await client.list_tools()).tools}
