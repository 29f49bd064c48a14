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
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not needs.node_packages(), reason="`make test` installs the packages of tests/node"
    ),
]

ROOT = Path(__file__).parents[2]
SUITE = package("@modelcontextprotocol/conformance", "dist/index.js")

# What needs no fixture, so that the product itself can be asked; where single checks do, which.
INDEPENDENT: dict[str, set[str]] = {
    "server-initialize": set(),
    "server-session-lifecycle": set(),
    "server-stateless": {
        "sep-2575-server-rejects-undeclared-capability",
        "sep-2575-missing-capability-http-400",
    },
    "ping": set(),
    "tools-list": set(),
    "resources-list": set(),
    "prompts-list": set(),
    "sep-2164-resource-not-found": set(),
    "server-sse-multiple-streams": set(),
    "dns-rebinding-protection": set(),
    "caching": set(),
    "http-header-validation": set(),
    "input-required-result-unsupported-methods": set(),
    "tasks-capability-negotiation": {"tasks-per-request-meta-opt-in"},
}
LEAST_OF_PRODUCT = 77


class Outcome(NamedTuple):
    """What the suite says in the end."""

    returncode: int
    passed: int
    failed: int
    scenarios: dict[str, tuple[int, int]]
    """Passed and failed checks of each."""
    problems: list[tuple[str, str, str]]
    """Of each failed check its scenario, its id and what was wrong."""


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
        server.wait(timeout=120)


def run(url: str, results: Path, *options: str) -> Outcome:
    """Run the suite to its end; `results` gets what it asked and was told."""
    ran = node(SUITE, "server", "--url", url, "-o", results, *options, timeout=1000)
    _, _, summary = ran.stdout.partition("=== SUMMARY ===")
    scenarios = re.findall(r"^\S ([\w-]+): (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    total = re.search(r"^Total: (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    assert total is not None, ran.stdout[-2000:] + ran.stderr[-2000:]
    found = {name: (int(passed), int(failed)) for name, passed, failed in scenarios}
    return Outcome(ran.returncode, int(total[1]), int(total[2]), found, problems(results))


def problems(results: Path) -> list[tuple[str, str, str]]:
    files = sorted(results.glob("*/checks.json"))
    checks = [(file, check) for file in files for check in json.loads(file.read_text())]
    return [
        (
            re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name),
            check["id"],
            str(check.get("errorMessage")),
        )
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
        (["--suite", "all"], 231),
        (["--suite", "all", "--spec-version", "2025-11-25"], 81),
        (["--requirements", "2025-11-25"], 81),
        (["--suite", "all", "--spec-version", "2026-07-28"], 152),
        (["--requirements", "2026-07-28"], 196),
    ],
    ids=["all", "2025-11-25", "requirements-2025-11-25", "2026-07-28", "requirements-2026-07-28"],
)
def test_the_suite_finds_nothing(url: str, tmp_path: Path, options: list[str], least: int) -> None:
    found = run(url, tmp_path, *options)
    assert (found.failed, found.returncode) == (0, 0), found.problems
    assert found.passed >= least


def test_the_product_as_it_is_conforms_in_all_that_needs_no_fixture(tmp_path: Path) -> None:
    with serving("product", tmp_path / "home") as url:
        found = run(url, tmp_path / "results", "--suite", "all")
    assert INDEPENDENT.keys() <= found.scenarios.keys()
    failed = {(where, check) for where, check, _ in found.problems if where in INDEPENDENT}
    needing = {(where, check) for where, checks in INDEPENDENT.items() for check in checks}
    assert failed == needing, [told for told in found.problems if told[:2] in failed - needing]
    assert sum(found.scenarios[name][0] for name in INDEPENDENT) >= LEAST_OF_PRODUCT
