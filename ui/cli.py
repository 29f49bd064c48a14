"""The command line: every operation is a sub-command, beside `up`, `mcp`, `demo` and `approve`."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from databits.actor import Actor
from databits.errors import DatabitsError
from databits.model import Plan, Planned, Run
from databits.operation import CATALOGUE, STAGES, Operation, load_catalogue
from databits.remote import Remote, serving
from databits.settings import Settings
from databits.store.runs import ENDED
from databits.workbench import Workbench, connect
from mcp_server.auth import local_actor

AWAITS_APPROVAL = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `databits`; returns the exit code: 0 done, 1 refused or failed, 3 awaits approval."""
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        asked = _parser(words[0] if words else "").parse_args(words)
        return int(asked.do(asked))
    except DatabitsError as error:
        print(f"{error.phrase}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        sys.stderr.close()
        return 0


def open_runner(settings: Settings) -> Workbench | Remote:
    """The process that serves this workspace if there is one, else the workspace itself."""
    server = serving(settings.home)
    return Remote(server) if server else connect(settings)


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
    if command == "mcp":
        return top
    load_catalogue()
    for op in sorted(CATALOGUE.values(), key=lambda op: (STAGES.index(op.stage), op.name)):
        _add_operation(commands, op)
    return top


def _add_up(commands: Any) -> None:
    up = commands.add_parser("up", help="serve the chat, the review page, /mcp and the endpoints")
    up.add_argument("--port", type=int, help="port (default 8765)")
    up.add_argument("--open", action="store_true", help="open the page in the browser")

    def do(asked: argparse.Namespace) -> int:
        from ui.app import serve

        settings = Settings(**({"port": asked.port} if asked.port else {}))
        serve(settings, open_browser=asked.open)
        return 0

    up.set_defaults(do=do)


def _add_mcp(commands: Any) -> None:
    mcp = commands.add_parser("mcp", help="MCP server on stdio, for Claude, Cursor, VS Code")
    mcp.add_argument("--toolsets", help=f"only these stages, comma-separated: {', '.join(STAGES)}")
    mcp.add_argument("--read-only", action="store_true", help="only tools that change nothing")

    def do(asked: argparse.Namespace) -> int:
        from mcp_server.stdio import main as serve_stdio

        toolsets = (
            [t.strip() for t in asked.toolsets.split(",") if t.strip()] if asked.toolsets else None
        )
        settings = Settings()
        serve_stdio(
            settings, toolsets=toolsets, read_only=asked.read_only, runner=open_runner(settings)
        )
        return 0

    mcp.set_defaults(do=do)


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
        from databits.platforms.embedded.jobs import work

        print(f"executed {work(connect(Settings()), idle_seconds=asked.idle)} runs")
        return 0

    worker.set_defaults(do=do)


def _add_job(commands: Any) -> None:
    job = commands.add_parser("job", help="perform one long operation in this process, as schedulers do")
    job.add_argument("operation", help="an operation that runs as a job")
    job.add_argument("--arguments", type=json.loads, default={}, help="its arguments as JSON")
    job.add_argument("--database-url", help="SQLAlchemy URL of the workspace's database")

    def do(asked: argparse.Namespace) -> int:
        from databits.platforms.embedded.jobs import InThisProcess

        url = {"database_url": asked.database_url} if asked.database_url else {}
        settings = Settings(**url)
        workbench = connect(settings)
        workbench.jobs = InThisProcess(workbench)
        actor = local_actor(settings, "command", client="databits job")
        result = workbench.run(asked.operation, asked.arguments, actor)
        if isinstance(result, Run):
            result = _wait(workbench, result, actor)
        _print(result, as_json=True)
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
        command.set_defaults(do=lambda asked, approve=approve: _decide(asked, approve))


def _decide(asked: argparse.Namespace, approve: bool) -> int:
    settings = Settings()
    runner, actor = open_runner(settings), _person(settings)
    arguments = {"plan": asked.plan, "approve": approve, "reason": asked.reason}
    decided = runner.run("decide_approval", arguments, actor)
    if not approve:
        return _print(decided, as_json=asked.json)
    return _finish(runner, runner.carry_out(asked.plan), actor, asked)


def _person(settings: Settings) -> Actor:
    """Whoever typed the command: a human act."""
    return local_actor(settings, "command", client="databits").through(
        "command", client="databits", person=True
    )


# operations -----------------------------------------------------------------------------------


def _add_operation(commands: Any, op: Operation) -> None:
    summary = op.description.partition("\n\n")[0].replace("\n", " ").replace("%", "%%")
    command = commands.add_parser(
        op.name, help=summary, description=op.description.replace("%", "%%")
    )
    properties = op.input_schema["properties"]
    for name, field in op.input.model_fields.items():
        schema = properties[name]
        command.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            required=field.is_required(),
            default=argparse.SUPPRESS,
            metavar=schema.get("type", "value").upper(),
            help=_help(schema),
            type=_reader(schema),
        )
    command.add_argument("--json", action="store_true", dest="_json", help="print JSON")
    if op.job:
        command.add_argument(
            "--detach", action="store_true", dest="_detach", help="do not wait for the run to end"
        )
    if op.effect == "consequential":
        command.add_argument(
            "--yes", action="store_true", dest="_yes", help="approve the plan yourself"
        )
    command.set_defaults(do=lambda asked: _run_operation(op, asked))


def _help(schema: dict[str, Any]) -> str:
    said = schema.get("description", "")
    if "enum" in schema:
        said += f" ({', '.join(map(str, schema['enum']))})"
    if schema.get("default") not in (None, "", []):
        said += f" [default: {schema['default']}]"
    return str(said).replace("%", "%%")


def _reader(schema: dict[str, Any]) -> Any:
    """How a word of the command line becomes a value of that schema."""
    kind = schema.get("type")
    if kind == "array":
        inner = _reader(schema.get("items", {}))

        def many(text: str) -> list[Any]:
            if text.lstrip().startswith("["):
                return list(json.loads(text))
            return [inner(part.strip()) for part in text.split(",") if part.strip()]

        many.__name__ = "list"
        return many
    if kind == "boolean":
        return _boolean
    return {"integer": int, "number": float, "object": json.loads}.get(str(kind), str)


def _boolean(text: str) -> bool:
    if text.casefold() in ("true", "yes", "on", "1"):
        return True
    if text.casefold() in ("false", "no", "off", "0"):
        return False
    raise argparse.ArgumentTypeError("say true or false")


def _run_operation(op: Operation, asked: argparse.Namespace) -> int:
    settings = Settings()
    runner, actor = open_runner(settings), _person(settings)
    arguments = {
        name: getattr(asked, name) for name in op.input.model_fields if hasattr(asked, name)
    }
    options = argparse.Namespace(
        json=asked._json, detach=getattr(asked, "_detach", False), yes=getattr(asked, "_yes", False)
    )
    result = runner.run(op.name, arguments, actor)
    if isinstance(result, Planned):
        if not (options.yes or _consents(result.plan)):
            _print(result, as_json=options.json)
            return AWAITS_APPROVAL
        runner.run(
            "decide_approval",
            {"plan": result.plan.id, "approve": True, "digest": result.plan.digest},
            actor,
        )
        result = runner.run(op.name, arguments, actor)
    return _finish(runner, result, actor, options)


def _consents(plan: Plan) -> bool:
    """Ask at the terminal; no terminal is no consent."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(_describe(plan), file=sys.stderr)
    print("Go ahead? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _describe(plan: Plan) -> str:
    lines = [
        f"Plan {plan.id}: {plan.summary}",
        *(f"  - {line}" for line in plan.sample),
        f"  cost: {plan.cost}",
    ]
    return "\n".join(
        lines + ([f"  can not be undone: {plan.irreversible}"] if plan.irreversible else [])
    )


def _finish(
    runner: Workbench | Remote, result: BaseModel, actor: Actor, options: argparse.Namespace
) -> int:
    if isinstance(result, Run) and not options.detach:
        result = _wait(runner, result, actor)
    _print(result, as_json=options.json)
    return 1 if isinstance(result, Run) and result.state in ("failed", "cancelled") else 0


def _wait(runner: Workbench | Remote, run: Run, actor: Actor) -> Run:
    said = ""
    while run.state not in ENDED:
        found = runner.run("get_run", {"run": run.id, "wait_s": 0.5}, actor)
        assert isinstance(found, Run)  # get_run's output
        run = found
        line = f"run {run.id}: {run.progress:4.0%} {run.message}"
        if line != said and sys.stderr.isatty():
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            said = line
        time.sleep(0.05)
    if said:
        print("\r\x1b[K", end="", file=sys.stderr)
    return run


def _print(result: BaseModel, *, as_json: bool) -> int:
    if as_json:
        print(result.model_dump_json(indent=2))
        return 0
    from ui.text import render

    print(render(result))
    return 0
