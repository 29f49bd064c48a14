"""Node and the programs in tests/node, for tests that use other people's clients and suites."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "node"
MODULES = HERE / "node_modules"
NODE = Path(sys.executable).with_name("node")


def package(name: str, file: str = "") -> Path:
    """A file of an installed package."""
    return MODULES / name / file


def node(
    *arguments: str | Path,
    timeout: float = 280,
    env: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> "subprocess.CompletedProcess[str]":
    """Run a script to its end; the caller looks at the return code."""
    return subprocess.run(
        [NODE, *arguments],
        cwd=HERE,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **kwargs,
    )
