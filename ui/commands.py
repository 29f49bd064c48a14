"""Operations as sub-commands: words in, a result or a plan out."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from databits.actor import Actor
from databits.model import Plan, Planned, Run
from databits.operation import Operation
from databits.settings import Settings
from databits.store.shapes import ENDED
from databits.visible import visible, visible_json
from databits.workspace import Workspace
from mcp_server.auth import local_actor

if TYPE_CHECKING:
    from databits.workbench import Workbench

AWAITS_APPROVAL = 3


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Workspace]:
    """The workspace, here or in the process that has it open, for one command.

    Closed at its end: else what was done last would stay in SQLite's log beside the file, and who
    copies the file alone would miss it.
    """
    workspace = Workspace(settings)
    try:
        yield workspace
    finally:
        workspace.close()


def person_at_the_terminal(settings: Settings) -> Actor:
    """Whoever typed the command: a human act."""
    return local_actor(settings, "command", client="databits").through(
        "command", client="databits", person=True
    )


def decide(asked: argparse.Namespace, approve: bool) -> int:
    settings = Settings()
    actor = person_at_the_terminal(settings)
    arguments = {"plan": asked.plan, "approve": approve, "reason": asked.reason}
    with opened(settings) as runner:
        decided = runner.run("decide_approval", arguments, actor)
        if not approve:
            return show(decided, as_json=asked.json)
        return _finish(runner, runner.carry_out(asked.plan), actor, asked)


def add_operation(commands: Any, op: Operation) -> None:
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
        command.add_argument(
            "--key", dest="_key", help="a name for this call: the same again gives the same run"
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
    actor = person_at_the_terminal(settings)
    arguments = {
        name: getattr(asked, name) for name in op.input.model_fields if hasattr(asked, name)
    }
    options = argparse.Namespace(
        json=asked._json, detach=getattr(asked, "_detach", False), yes=getattr(asked, "_yes", False)
    )
    key = getattr(asked, "_key", None)
    with opened(settings) as runner:
        result = runner.run(op.name, arguments, actor, key=key)
        if isinstance(result, Planned):
            if not (options.yes or _consents(result.plan)):
                show(result, as_json=options.json)
                return AWAITS_APPROVAL
            approved = {"plan": result.plan.id, "approve": True, "digest": result.plan.digest}
            runner.run("decide_approval", approved, actor)
            result = runner.run(op.name, arguments, actor, key=key)
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
    if plan.irreversible:
        lines.append(f"  can not be undone: {plan.irreversible}")
    return visible("\n".join(lines))


def _finish(
    runner: "Workbench | Workspace", result: BaseModel, actor: Actor, options: argparse.Namespace
) -> int:
    if isinstance(result, Run) and not options.detach:
        result = wait_for(runner, result, actor)
    show(result, as_json=options.json)
    return 1 if isinstance(result, Run) and result.state in ("failed", "cancelled") else 0


def wait_for(runner: "Workbench | Workspace", run: Run, actor: Actor) -> Run:
    said = ""
    while run.state not in ENDED:
        found = runner.run("get_run", {"run": run.id, "wait_s": 0.5}, actor)
        assert isinstance(found, Run)  # get_run's output
        run = found
        line = visible(f"run {run.id}: {run.progress:4.0%} {run.message}", keep="")
        if line != said and sys.stderr.isatty():
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            said = line
        time.sleep(0.05)
    if said:
        print("\r\x1b[K", end="", file=sys.stderr)
    return run


def show(result: BaseModel, *, as_json: bool) -> int:
    if as_json:
        print(visible_json(result.model_dump(mode="json"), indent=2))
        return 0
    from ui.text import render

    print(render(result))
    return 0
