"""Typing into the assistant from a program: what the demo does instead of a browser."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape

from agent.client import acting_as
from agent.events import ApprovalAsked, Event, Failed, Text, ToolFinished, ToolStarted
from agent.runtime import Assistant
from databits.actor import Actor
from databits.errors import DatabitsError
from databits.visible import visible
from databits.workbench import Workbench

SHOWN = 8  # lines of an answer


class StageFailed(DatabitsError):
    """A stage did not do what it should; the demo stops there."""

    phrase = "The demo stopped"


class Conversation:
    """Types requests, shows what comes back, and approves plans as the person at the keyboard."""

    def __init__(
        self, assistant: Assistant, workbench: Workbench, person: Actor, console: Console
    ) -> None:
        self._assistant = assistant
        self._workbench = workbench
        self._person = person
        self._console = console
        self._thread = f"demo-{time.time_ns()}"

    async def ask(self, request: str, tool: str) -> dict[str, Any]:
        """Send one request; returns the structured result of `tool`, which must have run.

        Raises:
            StageFailed: when it did not run, or did not succeed.
        """
        self._console.print(f"  [bold]you[/]       {escape(request)}")
        acting_as.set(self._person.through("chat", client="databits-agent"))
        done, asked = await self._follow(self._assistant.turn(self._thread, request))
        while asked is not None:
            self._approve(asked)
            more, asked = await self._follow(
                self._assistant.answer(self._thread, asked.id, approve=True)
            )
            done += more
        for event in reversed(done):
            found = _outcome(event, tool)
            if found is not None:
                return found
            run = _run_of(event, tool)
            if run is not None and run["state"] in ("queued", "running"):
                self._wait(run["id"])
                return await self.ask(f"how is run {run['id']}", tool)
        raise StageFailed(f"“{request}” did not lead to a successful {tool}.")

    def _wait(self, run_id: int) -> None:
        """Stay until a run has ended, and show how far it is."""
        said = ""
        while True:
            run: Any = self.act("get_run", run=run_id, wait_s=2)
            if run.state not in ("queued", "running"):
                return
            if run.message != said:
                said = run.message
                self._note(f"[dim]run {run_id}: {run.progress:.0%} {escape(_short(said))}[/]")

    def act(self, operation: str, **arguments: Any) -> BaseModel:
        """Something that the person does by hand, on the review page say."""
        return self._workbench.run(operation, arguments, self._person)

    async def _follow(
        self, events: AsyncIterator[Event]
    ) -> tuple[list[ToolFinished], ApprovalAsked | None]:
        """Show a turn as it comes; returns the finished tools, and the approval it stopped at."""
        done: list[ToolFinished] = []
        asked: ApprovalAsked | None = None
        said = ""
        async for event in events:
            match event:
                case Text():
                    said += event.text
                case ToolStarted():
                    arguments = json.dumps(event.arguments, ensure_ascii=False)
                    self._note(f"[dim]→ {event.tool} {escape(_short(arguments))}[/]")
                case ToolFinished():
                    done.append(event)
                    if not event.ok:
                        self._note(f"[red]{escape(_short(event.text))}[/]")
                case ApprovalAsked():
                    asked = event
                case Failed():
                    raise StageFailed(event.message)
        lines = [line.strip() for line in said.splitlines() if line.strip(" |-")]
        for line in lines[:SHOWN]:
            self._console.print(f"  [bold cyan]databits[/]  {escape(_short(line))}")
        if len(lines) > SHOWN:
            self._note(f"[dim]… {len(lines) - SHOWN} more lines[/]")
        return done, asked

    def _approve(self, asked: ApprovalAsked) -> None:
        plan = asked.plan
        self._console.print(f"  [bold yellow]plan {plan['id']}[/]    {escape(plan['summary'])}")
        for line in plan["sample"][:3]:
            self._note(f"[dim]· {escape(_short(line))}[/]")
        self.act("decide_approval", plan=plan["id"], approve=True, digest=plan["digest"])
        self._console.print("  [bold]you[/]       [green]approved[/]")

    def _note(self, text: str) -> None:
        self._console.print(f"            {text}")


def _outcome(event: ToolFinished, tool: str) -> dict[str, Any] | None:
    """The result of `tool`, be it at once, behind an approval, or at the end of its run."""
    if not event.ok:
        return None
    run = _run_of(event, tool)
    if run is not None:
        return run.get("result") if run["state"] == "succeeded" else None
    if event.tool != tool:
        return None
    result = event.data.get("result")
    return result if isinstance(result, dict) else event.data


def _run_of(event: ToolFinished, tool: str) -> dict[str, Any] | None:
    """The run of `tool` that a result tells of."""
    run = event.data.get("run") or event.data
    return run if run.get("operation") == tool and "progress" in run else None


def _short(text: str, width: int = 150) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= width else line[: width - 1] + "…"
