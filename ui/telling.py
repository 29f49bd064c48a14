"""A turn of the assistant as chat messages."""

import time
from typing import Any

from agent.conversation import is_run, outcome
from agent.events import (
    ApprovalAsked,
    Event,
    Failed,
    Suggestions,
    Text,
    ToolFinished,
    ToolStarted,
)
from databits.operation import CATALOGUE
from ui.markdown import escape, fenced, harmless
from ui.transcripts import Message, Option

RUN = "run-"
"""How the messages of runs that are being followed begin their id."""


class Telling:
    """Writes the events of one turn onto the end of a conversation."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages
        self._answer: Message | None = None
        self._said = ""
        self._calls: dict[str, tuple[Message, float]] = {}
        self.done: tuple[str, dict[str, Any]] | None = None
        """The last operation that went well, and its result."""
        take_options(messages)

    def take(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Text():
                self._write(event.text)
            case ToolStarted():
                self._start(event)
            case ToolFinished():
                self._finish(event)
            case ApprovalAsked():
                self._add(plan_message(event))
            case Suggestions():
                self._offer(event.requests)
            case Failed():
                self._add(Message(role="assistant", content=escape(event.message)))

    def _write(self, text: str) -> None:
        if self._answer is None:
            self._said = ""
            self._answer = Message(role="assistant", content="")
            self._messages.append(self._answer)
        self._said += text
        self._answer["content"] = harmless(self._said)

    def _start(self, event: ToolStarted) -> None:
        message = Message(
            role="assistant",
            content=fenced(event.arguments) if event.arguments else "",
            metadata={"title": title_of(event.tool), "id": event.id, "status": "pending"},
        )
        self._calls[event.id] = (message, time.monotonic())
        self._add(message)

    def _finish(self, event: ToolFinished) -> None:
        message, begun = self._calls.pop(event.id, (None, 0.0))
        if message is None:  # it began before a restart, or before an approval
            message = Message(role="assistant", content="")
            begun = time.monotonic()
            self._add(message)
        title = title_of(event.tool) + ("" if event.ok else ": not done")
        message["content"] = "\n\n".join(filter(None, [message["content"], fenced(event.text)]))
        message["metadata"] = {
            "title": title,
            "id": event.id,
            "status": "done",
            "duration": round(time.monotonic() - begun, 2),
        }
        if event.ok:
            self.done = event.tool, dict(outcome(event.data))
        run = _run_in(event.data)
        if run is not None and run["state"] in ("queued", "running"):
            self._add(run_message(run))

    def _offer(self, requests: list[str]) -> None:
        if self._messages and requests:
            self._messages[-1]["options"] = [
                Option(label=request, value=f"ask:{request}") for request in requests
            ]

    def _add(self, message: Message) -> None:
        self._answer = None
        self._messages.append(message)

    def close(self) -> None:
        """End of the turn: what was left open by a stop or a failure does not spin for ever."""
        for message, _ in self._calls.values():
            message["metadata"] = {**message.get("metadata", {}), "status": "done"}
        self._calls.clear()


def take_options(messages: list[Message]) -> None:
    """Buttons belong to the newest message; once something follows they mean nothing any more."""
    for message in messages:
        message.pop("options", None)


def plan_message(asked: ApprovalAsked) -> Message:
    """A plan with its two buttons. The buttons carry the digest of what was shown."""
    return Message(
        role="assistant",
        content=f"**A person must approve this first.**\n\n{plan_text(asked.plan)}",
        options=[
            Option(label="Approve", value=f"approve:{asked.id}:{asked.plan.get('digest', '')}"),
            Option(label="Reject", value=f"reject:{asked.id}:{asked.plan.get('digest', '')}"),
        ],
    )


def plan_text(plan: dict[str, Any]) -> str:
    """What is approved: what happens, to how many, which ones, the cost, what can not be undone."""
    sample = [str(line) for line in plan.get("sample", [])]
    lines = [escape(str(plan.get("summary", ""))), ""]
    lines += [f"- {escape(line)}" for line in sample]
    final = str(plan.get("irreversible", ""))
    lines += [
        "",
        f"Concerns {int(plan.get('count', 1)):,} in all. Cost: {escape(str(plan.get('cost', 'none')))}.",
        "",
        f"Can not be undone: {escape(final)}" if final else "It can be undone afterwards.",
    ]
    return "\n".join(lines)


def run_message(run: dict[str, Any]) -> Message:
    """A run that is under way; following it keeps this up to date."""
    done = f" {run['progress']:.0%}" if run.get("progress") else ""
    return Message(
        role="assistant",
        content=escape(str(run.get("message") or run["state"])),
        metadata={
            "title": f"{title_of(run['operation'])}{done}",
            "id": f"{RUN}{run['id']}",
            "status": "pending",
        },
    )


def title_of(tool: str) -> str:
    """What a tool is called for people."""
    op = CATALOGUE.get(tool)
    return op.title if op else escape(tool.replace("_", " ").capitalize())


def _run_in(data: dict[str, Any]) -> dict[str, Any] | None:
    """The run that a result is or holds."""
    if is_run(data):
        return data
    inner = data.get("run")
    return inner if isinstance(inner, dict) and is_run(inner) else None
