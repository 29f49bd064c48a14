"""The assistant behind MLflow's ResponsesAgent: one stream of events, told as Responses events.

Used by Model Serving (`agent/model_code.py`) and by any host that speaks the Responses API. An
approval travels as the standard items: out as `mcp_approval_request`, back as
`mcp_approval_response`.
"""

import asyncio
import contextvars
import json
import os
import queue
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import ResponsesAgent
from mlflow.types.responses import (
    ResponsesAgentRequest,
    ResponsesAgentResponse,
    ResponsesAgentStreamEvent,
    create_function_call_item,
    create_function_call_output_item,
    create_mcp_approval_request_item,
    create_text_delta,
    create_text_output_item,
)

from agent.client import Target
from agent.events import ApprovalAsked, Event, Failed, Suggestions, Text, ToolFinished, ToolStarted
from agent.runtime import Assistant
from databits.settings import Settings
from databits.workbench import connect
from mcp_server.auth import local_actor
from mcp_server.server import build_server

SERVER = "databits-workbench"
Decide = Callable[[ApprovalAsked, bool], Awaitable[None]]
"""Records a person's decision on a plan, as that person."""


async def respond(
    assistant: Assistant, request: ResponsesAgentRequest, decide: Decide | None = None
) -> AsyncIterator[ResponsesAgentStreamEvent]:
    """Answer a request of the Responses API.

    decide: for a host that knows who is calling. Without it nobody here can vouch for a person, and
    an approval goes through only if the plan was approved on the Approvals page before.
    """
    thread = thread_of(request)
    telling = Telling()
    async for event in _events(assistant, request, thread, decide):
        for told in telling.tell(event):
            yield told
    for told in telling.finish():
        yield told
    yield ResponsesAgentStreamEvent(
        type="response.completed",
        response={"id": f"resp_{uuid.uuid4().hex}", "output": telling.items},
        custom_outputs={"thread_id": thread, "suggestions": telling.suggestions},
    )


async def _events(
    assistant: Assistant, request: ResponsesAgentRequest, thread: str, decide: Decide | None
) -> AsyncIterator[Event]:
    given = [item.model_dump() for item in request.input]
    answers = [item for item in given if item.get("type") == "mcp_approval_response"]
    if not answers:
        async for event in assistant.turn(thread, _said(given)):
            yield event
        return
    for item in answers:
        asked = {one.id: one for one in await assistant.pending(thread)}
        found = asked.get(item["approval_request_id"])
        if found is not None and decide is not None:
            await decide(found, item["approve"])
        answer = assistant.answer(thread, item["approval_request_id"], item["approve"])
        async for event in answer:
            yield event


class Telling:
    """Turns events into Responses events, and keeps the finished output items."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.suggestions: list[str] = []
        self._text = ""
        self._text_id = ""

    def tell(self, event: Event) -> Iterator[ResponsesAgentStreamEvent]:
        if isinstance(event, Text):
            self._text_id = self._text_id or f"msg_{uuid.uuid4().hex}"
            self._text += event.text
            yield ResponsesAgentStreamEvent(**create_text_delta(event.text, self._text_id))
            return
        yield from self.finish()
        if isinstance(event, Suggestions):
            self.suggestions = event.requests
        elif isinstance(event, Failed):
            yield ResponsesAgentStreamEvent(type="error", code="failed", message=event.message)
        else:
            yield self._done(_item(event))

    def finish(self) -> Iterator[ResponsesAgentStreamEvent]:
        """Close the text that is being written."""
        if self._text.strip():
            yield self._done(create_text_output_item(self._text, self._text_id))
        self._text = self._text_id = ""

    def _done(self, item: dict[str, Any]) -> ResponsesAgentStreamEvent:
        self.items.append(item)
        return ResponsesAgentStreamEvent(type="response.output_item.done", item=item)


def _item(event: ToolStarted | ToolFinished | ApprovalAsked) -> dict[str, Any]:
    if isinstance(event, ToolStarted):
        item: dict[str, Any] = create_function_call_item(
            event.id, event.id, event.tool, json.dumps(event.arguments)
        )
    elif isinstance(event, ToolFinished):
        item = create_function_call_output_item(event.id, event.text)
    else:
        arguments = json.dumps(event.plan.get("arguments", {}))
        item = create_mcp_approval_request_item(event.id, arguments, event.tool, SERVER)
        item["plan"] = event.plan
    return item


def thread_of(request: ResponsesAgentRequest) -> str:
    """The conversation a request belongs to; one that names none starts a new one."""
    named = (request.custom_inputs or {}).get("thread_id")
    context = request.context.conversation_id if request.context else None
    return str(named or context or f"thread_{uuid.uuid4().hex}")


def _said(given: list[dict[str, Any]]) -> str:
    """The newest message of the person; what came before is in the thread."""
    content = next((item["content"] for item in reversed(given) if item.get("role") == "user"), "")
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


class Host:
    """A thread with the event loop that the assistant lives in, for callers without one."""

    def __init__(self, settings: Settings, target: Target) -> None:
        """Raises whatever opening the assistant raises."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agent", daemon=True)
        self._thread.start()
        self._ending = asyncio.Event()
        opened = asyncio.run_coroutine_threadsafe(self._open(settings, target), self._loop)
        self._assistant = opened.result()

    async def _open(self, settings: Settings, target: Target) -> Assistant:
        ready: asyncio.Future[Assistant] = self._loop.create_future()

        async def live() -> None:
            # Entered and left in one task, as the session inside demands.
            try:
                async with Assistant.open(settings, target) as assistant:
                    ready.set_result(assistant)
                    await self._ending.wait()
            except BaseException as error:
                if ready.done():
                    raise
                ready.set_exception(error)

        self._life = asyncio.create_task(live())
        return await ready

    def iterate(
        self, make: Callable[[Assistant], AsyncIterator[ResponsesAgentStreamEvent]]
    ) -> Iterator[ResponsesAgentStreamEvent]:
        """Run an async generator over the assistant, in the caller's context (its trace included)."""
        passed: queue.Queue[ResponsesAgentStreamEvent | BaseException | None] = queue.Queue()

        async def pump() -> None:
            try:
                async for event in make(self._assistant):
                    passed.put(event)
                passed.put(None)
            except BaseException as error:
                passed.put(error)
                raise

        context = contextvars.copy_context()
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(pump(), context=context))
        while (event := passed.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        asyncio.run_coroutine_threadsafe(asyncio.wait([self._life]), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)


class WorkbenchAgent(ResponsesAgent):
    """The assistant as a model: it opens with the first request and stays open.

    It acts as the deployment's own user and role, from the settings: nobody has verified the
    `user_id` of a request, so that only labels its trace.
    """

    def __init__(self, settings: Settings | None = None, target: Target | None = None) -> None:
        self._settings = settings
        self._target = target
        self._host: Host | None = None
        self._opening = threading.Lock()
        # So that what the agent calls, and its audit events, belong to the turn's trace; MLflow
        # reads it as a trace begins, which is before the assistant opens.
        os.environ.setdefault("MLFLOW_TRACE_PROPAGATE_TO_OTEL_CONTEXT", "true")

    @property
    def host(self) -> Host:
        with self._opening:
            if self._host is None:
                settings = self._settings or Settings()
                # Read by MLflow with the first trace; what the deployment has set goes before.
                os.environ.setdefault("MLFLOW_TRACE_SAMPLING_RATIO", str(settings.trace_ratio))
                self._host = Host(settings, self._target or _target(settings))
            return self._host

    def load_context(self, context: Any) -> None:
        """Open when the server starts, rather than in the first request."""
        _ = self.host

    def predict(  # type: ignore[override]  # as ResponsesAgent itself narrows it
        self, request: ResponsesAgentRequest
    ) -> ResponsesAgentResponse:
        items: list[dict[str, Any]] = []
        outputs: dict[str, Any] = {}
        for event in self._respond(request):
            told = event.model_dump()
            if event.type == "error":
                raise MlflowException(told["message"], error_code=INVALID_PARAMETER_VALUE)
            if event.type == "response.output_item.done":
                items.append(told["item"])
            outputs = told.get("custom_outputs") or outputs
        return ResponsesAgentResponse(output=items, custom_outputs=outputs)

    def predict_stream(  # type: ignore[override]
        self, request: ResponsesAgentRequest
    ) -> Generator[ResponsesAgentStreamEvent, None, None]:
        yield from self._respond(request)

    def _respond(self, request: ResponsesAgentRequest) -> Iterator[ResponsesAgentStreamEvent]:
        thread = thread_of(request)
        request.custom_inputs = {**(request.custom_inputs or {}), "thread_id": thread}
        user = (request.context.user_id if request.context else None) or "unknown"
        mlflow.update_current_trace(
            metadata={"mlflow.trace.session": thread, "mlflow.trace.user": user}
        )
        yield from self.host.iterate(lambda assistant: respond(assistant, request))


def _target(settings: Settings) -> Target:
    """The server that DATABITS_MCP_URL names; else one in this process, over the store of the settings."""
    url = os.environ.get("DATABITS_MCP_URL")
    if url:
        return url
    actor = local_actor(settings, "http", "databits-agent")
    return build_server(connect(settings), lambda _: actor, relay=True)
