"""Resources, prompts, completion and subscriptions with the TypeScript SDK that most editors have."""

import json
import os
from pathlib import Path

import pytest

from tests.clients.conftest import COMMAND
from tests.nodes import MODULES, node

pytestmark = [pytest.mark.slow]


def test_everything_beside_tools_works_with_it(tmp_path: Path) -> None:
    assert MODULES.exists(), "run make test, or npm ci in tests/node"
    env = {**os.environ, "DATABITS_HOME": str(tmp_path / "home"), "DATABITS_USER": "ana"}
    target = {"command": str(COMMAND), "args": ["mcp"], "cwd": str(tmp_path), "env": env}
    ran = node("reads_v1.mjs", json.dumps(target))
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["resources"][0] == "databit://mail"
    assert "item://{item}" in said["templates"]
    assert said["name"] == "mail"
    assert said["missing"]["code"] == -32602
    assert "Databits: mail" in said["missing"]["message"]
    assert "weekly_review" in said["prompts"]
    assert said["messages"] == 2
    assert said["completion"] == {"values": ["mail"], "total": 1, "hasMore": False}
    assert said["heard"][-1] == "list"
    declared = said["declared"]
    assert declared["resources"] == {"subscribe": True, "listChanged": True}
    assert declared["completions"] == {}
