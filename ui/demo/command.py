"""`databits demo`: sets a workspace up, runs the journey, and serves the result."""

import argparse
import asyncio
import time
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agent.client import acting_as
from agent.runtime import Assistant
from databits.actor import Actor
from databits.errors import Invalid
from databits.platforms.embedded import Embedded
from databits.remote import serving
from databits.settings import Settings
from mcp_server.auth import local_actor
from mcp_server.server import build_server
from ui.demo import tickets
from ui.demo.answers import answer_key
from ui.demo.conversation import Conversation
from ui.demo.journey import TRAFFIC, Journey, Report, Task

SAMPLE = "support"


def main(asked: argparse.Namespace) -> int:
    """Run the demo; returns the exit code."""
    console = Console(highlight=False, soft_wrap=True)
    settings = _settings(asked)
    server = serving(settings.home)
    if server is not None:
        raise Invalid(
            f"A server is at work on {settings.home}: stop it (process {server.pid}), or name another --home."
        )
    workbench = Embedded(settings)
    console.print(f"Workspace [bold]{escape(str(settings.home))}[/]; nothing leaves this machine.")
    try:
        task = _task(asked, settings)
        if task is None:
            _explain_unlabelled(console, asked.folder)
            if asked.no_serve:
                return 1
        else:
            begun = time.perf_counter()
            report = asyncio.run(_journey(workbench, settings, task, console))
            _summary(console, report, time.perf_counter() - begun)
        if asked.no_serve:
            return 0
        from ui.app import serve

        serve(settings, workbench=workbench, open_browser=True)
        return 0
    finally:
        workbench.jobs.close()
        workbench.database.close()


def _settings(asked: argparse.Namespace) -> Settings:
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}"
    home = Path(asked.home) if asked.home else Path("workbench") / f"demo-{stamp}"
    chosen = {"port": asked.port} if asked.port else {}
    return Settings(home=home.expanduser().resolve(), **chosen)


def _task(asked: argparse.Namespace, settings: Settings) -> Task | None:
    """The sample, or the user's own folder; None when its right labels are not known."""
    if asked.folder is None:
        return _sample(settings)
    key = answer_key(asked.folder, asked.label_column)
    if key is None:
        return None
    path = Path(asked.folder).expanduser().resolve()
    stem = path.stem if path.is_file() else path.name
    name = "".join(c if c.isalnum() else "-" for c in stem.lower()).strip("-")[:40] or "demo"
    held_back = min(TRAFFIC, len(key.by_text) // 10)
    sample = min(asked.limit or len(key.by_text), len(key.by_text) - held_back)
    return Task(str(path), name, key, sample=sample)


def _sample(settings: Settings) -> Task:
    """Made-up support tickets, and the requests that came after."""
    path = settings.home / "sample" / "tickets.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    tickets.write_csv(path, tickets.tickets())
    key = answer_key(str(path), "topic")
    assert key is not None  # the sample has the column
    live = {t["text"]: t["topic"] for t in tickets.live_traffic()}
    return Task(str(path), SAMPLE, key, traffic=live)


async def _journey(workbench: Embedded, settings: Settings, task: Task, console: Console) -> Report:
    me = local_actor(settings, "chat")
    person = Actor(me.name, me.role, "chat", person=True, client="databits demo")
    column = escape(task.key.column)
    console.print(
        f"You, [bold]{escape(person.name)}[/], talk to the assistant and approve its plans. The reading of each "
        f"item is played from the column [bold]{column}[/] ({len(task.key.labels)} labels)."
    )
    server = build_server(workbench, lambda _: acting_as.get() or me, relay=True)
    async with Assistant.open(settings, server) as assistant:
        return await Journey(
            Conversation(assistant, workbench, person, console), task, console
        ).run()


def _summary(console: Console, report: Report, seconds: float) -> None:
    console.print(f"\n[bold]All seven stages in {seconds:.0f} s.[/]")
    train, deploy = report.facts["train"], report.facts["deploy"]
    console.print(
        f"  {train['model']} answers with {train['accuracy']} accuracy at {deploy['path']}"
    )


def _explain_unlabelled(console: Console, folder: str) -> None:
    console.print(
        f"[yellow]No column of {escape(folder)} holds labels, so nobody can play the reviewer.[/]\n"
        "Name it with --label-column; or label yourself: in the chat, import the folder, create a Databit "
        "with your labels, queue the records, pre-label, and open the Review page."
    )
