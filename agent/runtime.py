"""The assistant: conversations over one graph, as streams of events."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langgraph.types import Command, StateSnapshot

from agent import approval
from agent.client import Target, ToolClient
from agent.events import ApprovalAsked, Event, Failed, Said, Text
from agent.known import fetch_known
from agent.memory import Memory
from agent.models import chat_model
from agent.narration import Narration
from agent.planner import PlannerChatModel
from agent.ranking import shared_phrasebook
from agent.supervisor import Graph, build
from databits.errors import DatabitsError, Unavailable
from databits.settings import Settings

log = logging.getLogger("databits.agent")

STEPS = 60  # of the graph in one turn; the limits on calls end a turn long before
NO_RESULT = "It was interrupted, so its outcome is not known; list_changes and list_runs tell."


class Assistant:
    """Answers people, one thread a conversation; conversations outlive the process.

    A turn acts as `agent.client.acting_as` says when its first event is asked for. Turns of one
    thread wait for each other, those of different threads do not.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, target: Target) -> AsyncIterator["Assistant"]:
        """The assistant over an MCP server in this process, or at a URL.

        Raises:
            Unavailable: the server can not be reached, or the chat model's package is missing.
        """
        model = chat_model(settings)
        settings.home.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(ToolClient(target))
            tools = await _listed(client, target)
            saver = await stack.enter_async_context(
                Memory.from_conn_string(str(settings.home / "chat.db"))
            )
            planner = PlannerChatModel(
                phrasebook=shared_phrasebook(), fetch=partial(fetch_known, client)
            )
            await asyncio.to_thread(planner.warm, tools)
            yield cls(build(tools, client, planner, saver, model))

    async def turn(self, thread: str, message: str) -> AsyncIterator[Event]:
        """Answer a message. While approvals are open they are asked again, and nothing else is done:
        the call that waits for them has no result yet, and a conversation can not go on without."""
        async with self._lock(thread):
            state = await self._state(thread)
            if state.interrupts:
                yield Text("Please decide this first; the conversation goes on after it.")
                for open_one in approval.asked(state.interrupts):
                    yield open_one
                return
            given = {"messages": [*_loose_ends(state), HumanMessage(message)]}
            async for event in self._run(given, thread):
                yield event

    async def answer(self, thread: str, approval_id: str, approve: bool) -> AsyncIterator[Event]:
        """Go on with a turn that asked for an approval.

        The decision itself is the person's and is recorded by them, with `decide_approval`, before
        this is called; here it is only passed on.
        """
        async with self._lock(thread):
            state = await self._state(thread)
            question = next((i.value for i in state.interrupts if i.id == approval_id), None)
            if question is None:
                yield Failed("This approval is no longer open.")
                return
            resume = {approval_id: approval.answer(question, approve)}
            async for event in self._run(Command(resume=resume), thread):
                yield event

    async def pending(self, thread: str) -> list[ApprovalAsked]:
        """The approvals that the thread waits for."""
        return approval.asked((await self._state(thread)).interrupts)

    async def history(self, thread: str) -> list[Said]:
        """What was said, by whom, oldest first; tool calls are left out."""
        said: list[Said] = []
        for message in _messages(await self._state(thread)):
            who = {"human": "person", "ai": "assistant"}.get(message.type)
            if who == "assistant" and message.text and said and said[-1].by == "assistant":
                said[-1] = Said("assistant", f"{said[-1].text}\n\n{message.text}")
            elif who is not None and message.text:
                said.append(Said("person" if who == "person" else "assistant", message.text))
        return said

    async def forget(self, thread: str) -> None:
        """Delete a conversation; what was done in it stays on record in the audit log."""
        async with self._lock(thread):
            await self._prune(thread, "delete")

    async def _run(self, given: Any, thread: str) -> AsyncIterator[Event]:
        """The events of the graph's run, which keeps the caller's context however it is iterated."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()

        async def pump() -> None:
            narration = Narration()
            try:
                stream = self._graph.astream(
                    given, _config(thread), stream_mode=["updates", "messages"], subgraphs=True
                )
                async for where, mode, content in stream:
                    for event in narration.events(where, mode, content):
                        queue.put_nowait(event)
                await self._prune(thread, "keep_latest")
            except DatabitsError as error:
                queue.put_nowait(Failed(str(error)))
            except Exception:
                log.exception("turn in thread %s failed", thread)
                queue.put_nowait(Failed("Something went wrong; the server's log has the details."))
            finally:
                queue.put_nowait(None)

        task = asyncio.create_task(pump(), context=copy_context())
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _prune(self, thread: str, strategy: str) -> None:
        saver = self._graph.checkpointer
        if isinstance(saver, Memory):
            await saver.aprune([thread], strategy=strategy)

    async def _state(self, thread: str) -> StateSnapshot:
        return await self._graph.aget_state(_config(thread))

    def _lock(self, thread: str) -> asyncio.Lock:
        return self._locks.setdefault(thread, asyncio.Lock())


def _config(thread: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread}, "recursion_limit": STEPS}


def _messages(state: StateSnapshot) -> Sequence[AnyMessage]:
    messages: Sequence[AnyMessage] = state.values.get("messages", ())
    return messages


def _loose_ends(state: StateSnapshot) -> list[ToolMessage]:
    """Results for calls that a crash or a closed page left without: models refuse a call without one."""
    messages = _messages(state)
    answered = {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}
    last = next((m for m in reversed(messages) if isinstance(m, AIMessage)), None)
    return [
        ToolMessage(NO_RESULT, tool_call_id=call["id"] or "", name=call["name"], status="error")
        for call in (last.tool_calls if last else [])
        if call["id"] not in answered
    ]


async def _listed(client: ToolClient, target: Target) -> list[BaseTool]:
    try:
        return [*await client.tools()]
    except (OSError, ToolException, ExceptionGroup) as error:
        where = target if isinstance(target, str) else "in this process"
        raise Unavailable(
            f"The MCP server {where} can not be reached. `databits up` starts it."
        ) from error
