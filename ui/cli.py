"""The command line: every operation is a sub-command, beside `up`, `mcp`, `demo` and `approve`."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from databits.errors import DatabitsError
from databits.model import Planned, Run
from databits.operation import CATALOGUE, STAGES, load_catalogue
from databits.settings import Settings
from databits.visible import visible
from mcp_server.auth import local_actor
from ui.commands import AWAITS_APPROVAL, add_operation, decide, show, wait_for
from ui.people_commands import add_people, has_secrets
from ui.transfer_commands import add_transfer


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `databits`; returns the exit code: 0 done, 1 refused or failed, 3 awaits approval."""
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        asked = _parser(words[0] if words else "").parse_args(words)
        return int(asked.do(asked))
    except DatabitsError as error:
        print(visible(f"{error.phrase}: {error}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        sys.stderr.close()
        return 0


def _parser(command: str) -> argparse.ArgumentParser:
    """The whole command line; for `mcp`, which an IDE starts often, without the operations."""
    top = argparse.ArgumentParser(
        prog="databits",
        description="From raw data to a monitored model in one conversation.",
        epilog="Settings come from DATABITS_… variables and databits.toml. Docs: docs/index.md.",
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_up(commands)
    _add_mcp(commands)
    _add_demo(commands)
    _add_worker(commands)
    _add_job(commands)
    _add_approve(commands)
    add_people(commands)
    add_transfer(commands)
    if command == "mcp":
        return top
    load_catalogue()
    for op in sorted(CATALOGUE.values(), key=lambda op: (STAGES.index(op.stage), op.name)):
        if not has_secrets(op):
            add_operation(commands, op)
    return top


def _add_up(commands: Any) -> None:
    up = commands.add_parser("up", help="serve the chat, the review page, /mcp and the endpoints")
    up.add_argument("--host", help="address to listen on (default 127.0.0.1: this machine only)")
    up.add_argument("--port", type=int, help="port (default 8765)")
    up.add_argument("--open", action="store_true", help="open the page in the browser")

    def do(asked: argparse.Namespace) -> int:
        from ui.app import serve

        chosen = {"host": asked.host, "port": asked.port}
        settings = Settings(**{name: value for name, value in chosen.items() if value})
        serve(settings, open_browser=asked.open)
        return 0

    up.set_defaults(do=do)


def _add_mcp(commands: Any) -> None:
    mcp = commands.add_parser("mcp", help="MCP server on stdio, for Claude, Cursor, VS Code")
    mcp.add_argument(
        "--toolsets",
        help=f"comma-separated: core (the default), all, or only these: {', '.join(STAGES)}",
    )
    mcp.add_argument(
        "--read-only",
        nargs="?",
        const=True,
        default=False,
        type=_yes_or_no,
        metavar="true|false",
        help="only tools that change nothing",
    )

    def do(asked: argparse.Namespace) -> int:
        from mcp_server.stdio import main as serve_stdio

        toolsets = (
            [t.strip() for t in asked.toolsets.split(",") if t.strip()] if asked.toolsets else None
        )
        serve_stdio(Settings(), toolsets=toolsets, read_only=asked.read_only)
        return 0

    mcp.set_defaults(do=do)


def _yes_or_no(said: str) -> bool:
    """A word of a host's settings, which can fill in a value but not leave an option out."""
    if said not in ("true", "false"):
        raise argparse.ArgumentTypeError("true or false")
    return said == "true"


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo", help="take sample tickets, or your own folder, through all seven stages"
    )
    demo.add_argument(
        "--folder", help="folder or file of csv, jsonl or text to use instead of the sample"
    )
    demo.add_argument("--label-column", help="column that holds the right labels (default: found)")
    demo.add_argument("--home", help="workspace folder (default: a new one)")
    demo.add_argument("--limit", type=int, help="at most this many records are labelled")
    demo.add_argument(
        "--no-serve", action="store_true", help="stop after the journey instead of serving the page"
    )
    demo.add_argument("--port", type=int, help="port of the page (default 8765)")

    def do(asked: argparse.Namespace) -> int:
        from ui.demo.command import main as run_demo

        return run_demo(asked)

    demo.set_defaults(do=do)


def _add_worker(commands: Any) -> None:
    worker = commands.add_parser("worker", help="execute runs until there are none for a while")
    worker.add_argument(
        "--idle", type=float, default=300.0, help="seconds without a run before it ends"
    )

    def do(asked: argparse.Namespace) -> int:
        from databits.platforms.embedded.jobs import main as work

        work(asked.idle)
        return 0

    worker.set_defaults(do=do)


def _add_job(commands: Any) -> None:
    job = commands.add_parser(
        "job", help="perform one long operation in this process, as schedulers do"
    )
    job.add_argument("operation", help="an operation that runs as a job")
    job.add_argument("--arguments", type=json.loads, default={}, help="its arguments as JSON")
    job.add_argument("--key", help="a name for this call: the same again gives the same run")
    job.add_argument("--database-url", help="SQLAlchemy URL of the workspace's database")

    def do(asked: argparse.Namespace) -> int:
        from databits.platforms.embedded.jobs import InThisProcess
        from databits.workbench import connect

        url = {"database_url": asked.database_url} if asked.database_url else {}
        settings = Settings(**url)
        workbench = connect(settings)
        workbench.jobs = InThisProcess(workbench)
        actor = local_actor(settings, "command", client="databits job")
        try:
            result = workbench.run(asked.operation, asked.arguments, actor, key=asked.key)
            if isinstance(result, Run):
                result = wait_for(workbench, result, actor)
        finally:
            workbench.close()
        show(result, as_json=True)
        if isinstance(result, Planned):
            return AWAITS_APPROVAL
        return 1 if isinstance(result, Run) and result.state != "succeeded" else 0

    job.set_defaults(do=do)


def _add_approve(commands: Any) -> None:
    for verb, approve in (("approve", True), ("reject", False)):
        command = commands.add_parser(
            verb, help=f"{verb} a plan" + (" and carry it out" if approve else "")
        )
        command.add_argument("plan", type=int, help="plan id, as list_approvals shows it")
        command.add_argument("--reason", default="", help="why")
        command.add_argument("--json", action="store_true", help="print JSON")
        command.add_argument("--detach", action="store_true", help="do not wait for a run to end")
        command.set_defaults(do=lambda asked, approve=approve: decide(asked, approve))
