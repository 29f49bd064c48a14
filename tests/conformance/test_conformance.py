"""The official MCP conformance suite against our server: nothing may fail, and nothing is expected to.

The suite names the tools, resources and prompts that it calls; `serve.py` adds them to the server
that our own factory builds, so that what is judged is our middleware, transport, tasks and wording.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import needs
from tests.nodes import node, package

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not needs.node_packages(), reason="`make test` installs the packages of tests/node"
    ),
]

ROOT = Path(__file__).parents[2]
SUITE = package("@modelcontextprotocol/conformance", "dist/index.js")

# What needs no fixture, so that the product itself can be asked.
INDEPENDENT = {
    "server-initialize",
    "server-session-lifecycle",
    "ping",
    "tools-list",
    "resources-list",
    "prompts-list",
    "sep-2164-resource-not-found",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
    "caching",
    "http-header-validation",
    "input-required-result-unsupported-methods",
}


class Outcome(NamedTuple):
    """What the suite says in the end."""

    returncode: int
    passed: int
    failed: int
    scenarios: dict[str, tuple[int, int]]
    """Passed and failed checks of each."""
    problems: list[str]
    """Of each failed check what was wrong."""


@contextmanager
def serving(which: str, home: Path) -> Iterator[str]:
    """The address of a server of its own process, which listens."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.serve", home, which],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        assert port, "the server did not start"
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.terminate()
        server.wait(timeout=30)


def run(url: str, results: Path, *options: str) -> Outcome:
    """Run the suite to its end; `results` gets what it asked and was told."""
    ran = node(SUITE, "server", "--url", url, "-o", results, *options, timeout=500)
    _, _, summary = ran.stdout.partition("=== SUMMARY ===")
    scenarios = re.findall(r"^\S ([\w-]+): (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    total = re.search(r"^Total: (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    assert total is not None, ran.stdout[-2000:] + ran.stderr[-2000:]
    found = {name: (int(passed), int(failed)) for name, passed, failed in scenarios}
    return Outcome(ran.returncode, int(total[1]), int(total[2]), found, problems(results))


def problems(results: Path) -> list[str]:
    files = sorted(results.glob("*/checks.json"))
    checks = [(file, check) for file in files for check in json.loads(file.read_text())]
    return [
        f"{file.parent.name}: {check['id']}: {check.get('errorMessage')}"
        for file, check in checks
        if check["status"] == "FAILURE"
    ]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving("fixtures", tmp_path_factory.mktemp("conformance")) as address:
        yield address


@pytest.mark.parametrize(
    ("options", "least"),  # as measured: a check that is skipped from now on is one to look at
    [
        (["--suite", "all"], 229),
        (["--suite", "all", "--spec-version", "2025-11-25"], 81),
        (["--requirements", "2025-11-25"], 81),
        (["--suite", "all", "--spec-version", "2026-07-28"], 150),
        (["--requirements", "2026-07-28"], 194),
    ],
    ids=["all", "2025-11-25", "requirements-2025-11-25", "2026-07-28", "requirements-2026-07-28"],
)
def test_the_suite_finds_nothing(url: str, tmp_path: Path, options: list[str], least: int) -> None:
    found = run(url, tmp_path, *options)
    assert (found.failed, found.returncode) == (0, 0), "\n".join(found.problems)
    assert found.passed >= least


def test_the_product_as_it_is_conforms_in_all_that_needs_no_fixture(tmp_path: Path) -> None:
    with serving("product", tmp_path / "home") as url:
        found = run(url, tmp_path / "results", "--suite", "all")
    judged = {name: counts for name, counts in found.scenarios.items() if name in INDEPENDENT}
    assert judged.keys() == INDEPENDENT
    assert {name for name, (passed, failed) in judged.items() if failed or not passed} == set()
