"""`databits up` as a process of its own, reachable from other machines."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.accounts import PASSWORD, add_account, add_token
from tests.conftest import MakeDesk
from tests.ui.test_app import free_port

pytestmark = [pytest.mark.slow]


def up(home: Path, port: int) -> "subprocess.Popen[str]":
    words = ["up", "--host", "0.0.0.0", "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-c", "from ui.cli import main; raise SystemExit(main())", *words],
        env={**os.environ, "DATABITS_HOME": str(home), "DATABITS_USER": "ana"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def answers(url: str, process: "subprocess.Popen[str]") -> bool:
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        try:
            return httpx.get(f"{url}/health", timeout=60).status_code == 200
        except httpx.TransportError:
            time.sleep(0.2)
    return False


def test_others_are_served_once_somebody_can_sign_in(tmp_path: Path, open_desk: MakeDesk) -> None:
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    refused = up(home, port)
    said, _ = refused.communicate(timeout=240)
    assert refused.returncode == 1
    assert "databits person add" in said
    desk = open_desk(home)
    add_account(desk.workbench, "bea", "viewer")
    secret = add_token(desk.workbench, "bea")
    desk.workbench.database.close()
    process, url = up(home, port), f"http://127.0.0.1:{port}"
    try:
        assert answers(url, process)
        with httpx.Client(base_url=url, timeout=60) as client:
            assert client.get("/ui/", headers={"Accept": "text/html"}).status_code == 303
            assert client.get("/ui/config").status_code == 401
            assert client.post("/mcp", json={}).status_code == 401
            assert client.get("/ui/config", headers={"Host": "bits.example"}).status_code == 403
            told = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Email": "ana"}
            assert client.get("/ui/config", headers=told).status_code == 401
            token = {"Authorization": f"Bearer {secret}"}
            assert client.get("/api/2.0/serving-endpoints", headers=token).status_code == 200
            entered = client.post("/sign-in", data={"name": "bea", "password": PASSWORD})
            assert entered.status_code == 303
            assert client.get("/ui/config").status_code == 200
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=120)
    assert f"127.0.0.1:{port}" in said, "where this machine's user finds it"
    assert secret not in said
    assert PASSWORD not in said
