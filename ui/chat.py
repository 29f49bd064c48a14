"""The chat: messages, buttons, approvals and files of the person at the page."""

import asyncio
from pathlib import Path
from typing import Any

from agent.conversation import Result
from agent.events import ApprovalAsked
from agent.wording import tell
from databits.errors import Conflict, DatabitsError, NotFound
from databits.model import Plan, Run
from databits.store.shapes import ENDED
from databits.workbench import Workbench
from mcp_server.tools.registry.decide_approval import decide_approval
from mcp_server.tools.registry.get_pipeline import get_pipeline
from mcp_server.tools.registry.list_approvals import list_approvals
from mcp_server.tools.train.get_run import get_run
from ui.conversation import Conversation
from ui.markdown import escape
from ui.person import Person
from ui.standby import Standby
from ui.steps import Step, facts, next_steps, steps_after
from ui.telling import RUN, run_message, take_options
from ui.transcripts import Message, Option, Transcripts
from ui.uploads import keep

POLL_S = 0.7
Done = tuple[str, dict[str, Any]]
"""An operation that went well, and its result."""


class Chat:
    """Every conversation of this workspace, and the one assistant behind them."""

    def __init__(self, workbench: Workbench, standby: Standby) -> None:
        self._person = Person(workbench, "chat")
        self._standby = standby
        self._of: dict[str, Transcripts] = {}
        self._open: dict[tuple[str, str], Conversation] = {}

    @property
    def transcripts(self) -> Transcripts:
        """The conversations of the person at the page; nobody sees another's."""
        owner = self._person.folder
        if owner not in self._of:
            self._of[owner] = Transcripts(self._person.workbench.settings.home, owner)
        return self._of[owner]

    async def open(self, thread: str) -> Conversation:
        """A conversation as it was left, or a new one with a greeting."""
        mine = self.transcripts
        found = self._open.setdefault((mine.owner, thread), Conversation(thread, mine))
        async with found.opening:
            if not found.messages:
                found.say(await asyncio.to_thread(self._greeting))
        self._follow_runs(found)
        return found

    async def close(self) -> None:
        for conversation in self._open.values():
            await conversation.close()

    # what a person does -------------------------------------------------------------------

    def send(self, conversation: Conversation, text: str, files: list[str]) -> None:
        """Take a message and dropped files; each file is imported first."""
        conversation.start(f"turn {id(text)}", self._turns(conversation, text.strip(), files))

    def decide(self, conversation: Conversation, plan: Plan, approve: bool) -> None:
        """Take a person's decision on a plan, wherever it was made."""
        conversation.start(f"plan {plan.id}", self._decide(conversation, plan, approve))

    async def plan_of(self, conversation: Conversation, approval: str, digest: str) -> Plan:
        """The plan behind a button of a message, as it was shown there.

        Raises:
            NotFound: when it does not wait in this conversation any more.
        """
        for asked in await self._pending(conversation):
            if asked.id == approval:
                return Plan.model_validate({**asked.plan, "digest": digest})
        raise NotFound("That plan waits no more. Ask again, and look at the Approvals page.")

    def plans(self) -> list[Plan]:
        """Every plan that waits for a person, whoever asked for it."""
        return self._person.run(list_approvals, limit=50).rows

    # behind it ----------------------------------------------------------------------------

    async def _turns(self, conversation: Conversation, text: str, files: list[str]) -> None:
        requests: list[str] = []
        for file in files:
            try:
                kept = await asyncio.to_thread(keep, self._person.workbench.settings, Path(file))
                requests.append(f'import "{kept}"')
            except DatabitsError as error:
                conversation.say(Message(role="assistant", content=escape(str(error))))
        for request in [*requests, *([text] if text else [])]:
            await self._turn(conversation, request)

    async def _turn(self, conversation: Conversation, request: str) -> None:
        async with conversation.turn:
            take_options(conversation.messages)
            conversation.say(Message(role="user", content=escape(request)))
            conversation.keep()
            try:
                assistant = await self._standby.assistant()
            except DatabitsError as error:
                conversation.say(Message(role="assistant", content=escape(str(error))))
                return
            self._speak_for_person()
            done = await conversation.tell(assistant.turn(conversation.memory, request))
        await self._go_on(conversation, done)

    async def _decide(self, conversation: Conversation, plan: Plan, approve: bool) -> None:
        async with conversation.turn:
            take_options(conversation.messages)
            verdict = "Approved" if approve else "Rejected"
            conversation.say(Message(role="user", content=f"{verdict}: {escape(plan.summary)}"))
            mine = [a for a in await self._pending(conversation) if a.plan.get("id") == plan.id]
            try:
                await asyncio.to_thread(
                    self._person.run,
                    decide_approval,
                    plan=plan.id,
                    approve=approve,
                    digest=plan.digest,
                )
                if not mine:
                    await self._carry_out(conversation, plan, approve)
            except DatabitsError as error:
                conversation.say(Message(role="assistant", content=escape(str(error))))
                # A plan that moved on is asked about anew; any other refusal leaves it waiting.
                mine = mine if isinstance(error, Conflict) else []
            done = None
            for asked in mine:
                assistant = await self._standby.assistant()
                self._speak_for_person()
                events = assistant.answer(conversation.memory, asked.id, approve)
                done = await conversation.tell(events)
        await self._go_on(conversation, done)

    async def _carry_out(self, conversation: Conversation, plan: Plan, approve: bool) -> None:
        """A plan that another client asked for is carried out here, on its behalf."""
        if not approve:
            return
        done = await asyncio.to_thread(self._person.workbench.carry_out, plan.id)
        data = done.model_dump(mode="json")
        if isinstance(done, Run) and done.state not in ENDED:
            conversation.say(run_message(data))
        else:
            told = tell(Result(tool=plan.operation, arguments={}, ok=True, text="", data=data))
            conversation.say(Message(role="assistant", content=told))

    async def _pending(self, conversation: Conversation) -> list[ApprovalAsked]:
        assistant = await self._standby.assistant()
        return list(await assistant.pending(conversation.memory))

    def _speak_for_person(self) -> None:
        """What the assistant does in this task is done in the name of whoever started it."""
        from ui.assistant import speak_for  # loaded behind the page, as the assistant itself

        speak_for(self._person.actor)

    async def _go_on(self, conversation: Conversation, done: Done | None) -> None:
        """After a turn: follow what it started, else offer what comes next."""
        self._follow_runs(conversation)
        if not conversation.is_following(RUN) and "options" not in conversation.messages[-1]:
            await self._offer(conversation, done)

    async def _offer(self, conversation: Conversation, done: Done | None) -> None:
        """Buttons that go on from what was done, under the newest message."""
        operation, result = done or ("", {})
        steps = await asyncio.to_thread(steps_after, self._person, operation, result)
        conversation.messages[-1]["options"] = _buttons(steps)
        conversation.touch()

    # runs -----------------------------------------------------------------------------------

    def _follow_runs(self, conversation: Conversation) -> None:
        """Follow every run that is shown as under way."""
        for message in conversation.messages:
            told = message.get("metadata", {})
            name = told.get("id", "")
            if (
                name.startswith(RUN)
                and told.get("status") == "pending"
                and not conversation.is_doing(name)
            ):
                run_id = int(name.removeprefix(RUN))
                conversation.start(name, self._follow(conversation, message, run_id))

    async def _follow(self, conversation: Conversation, message: Message, run_id: int) -> None:
        while True:
            run = await asyncio.to_thread(self._person.run, get_run, run=run_id)
            data = run.model_dump(mode="json")
            message.update(run_message(data))
            if run.state in ENDED:
                break
            conversation.touch()
            await asyncio.sleep(POLL_S)
        message["metadata"] = {**message["metadata"], "status": "done"}
        told = tell(
            Result(tool=run.operation, arguments={}, ok=True, text=run.error or "", data=data)
        )
        take_options(conversation.messages)
        conversation.say(Message(role="assistant", content=told))
        if run.state == "succeeded":
            await self._offer(conversation, (run.operation, run.result or {}))

    # where things stand ---------------------------------------------------------------------

    def _greeting(self) -> Message:
        pipeline = self._person.run(get_pipeline)
        there = facts(pipeline.stages)
        name = f" with **{escape(pipeline.databit)}**" if pipeline.databit else ""
        lines = [
            f"Welcome. Here is where you stand{name}: {escape(there)}."
            if there
            else "Welcome. Nothing is here yet: drop a file below, or begin with a sample.",
            f"Next: {escape(pipeline.next)}",
        ]
        return Message(
            role="assistant",
            content="\n\n".join(lines),
            options=_buttons(next_steps(self._person, pipeline)),
        )


def _buttons(steps: list[Step]) -> list[Option]:
    return [
        Option(
            label=step.label,
            value=step.request if step.request.startswith("open:") else f"ask:{step.request}",
        )
        for step in steps
    ]
