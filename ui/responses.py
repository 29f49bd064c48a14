"""The assistant over the Responses API, for programs: `/responses`, and `/invocations` as MLflow serves it.

Nobody here can vouch for a person, so an approval sent this way goes through only if a person has
approved the plan on the page or with `databits approve` before.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from mlflow.types.responses import ResponsesAgentRequest, ResponsesAgentStreamEvent
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from agent.serving import respond, thread_of
from databits.errors import DatabitsError
from mcp_server.callers import caller_in, callers_of
from ui.assistant import speak_for
from ui.gateway import TOO_LARGE, TooLarge, read_json
from ui.standby import Standby

SHAPE = 'The body is JSON as {"input": [{"role": "user", "content": "list databits"}], "stream": false}.'


async def answer(request: Request, standby: Standby) -> Response:
    """Answer a request of the Responses API, streamed when it asks for that."""
    try:
        body = await read_json(request)
        asked, streamed = _asked(body), bool(body.get("stream"))
    except TooLarge:
        return _error(413, TOO_LARGE)
    except (DatabitsError, ValidationError, AttributeError, TypeError):
        return _error(400, SHAPE)
    try:
        caller = caller_in(request.scope)
        assistant = await standby.assistant()
    except DatabitsError as error:
        return _error(503, str(error))
    owner = callers_of(standby.workbench).owner(caller.actor)

    async def events() -> AsyncIterator[ResponsesAgentStreamEvent]:
        speak_for(caller.actor, caller.toolsets, caller.actor.client)
        async for event in respond(assistant, _within(asked, owner)):
            yield _without(event, owner)

    if streamed:
        return StreamingResponse(_lines(events()), media_type="text/event-stream")
    return await _whole(events())


def _within(asked: ResponsesAgentRequest, owner: str) -> ResponsesAgentRequest:
    """The request in a thread of the caller's own: whoever names another's finds nothing in it."""
    inputs = {**(asked.custom_inputs or {}), "thread_id": f"{owner}{thread_of(asked)}"}
    return asked.model_copy(update={"custom_inputs": inputs})


def _without(event: ResponsesAgentStreamEvent, owner: str) -> ResponsesAgentStreamEvent:
    """The event with the thread as the caller named it."""
    outputs = event.custom_outputs
    if outputs and "thread_id" in outputs:
        outputs["thread_id"] = str(outputs["thread_id"]).removeprefix(owner)
    return event


def _asked(body: dict[str, Any]) -> ResponsesAgentRequest:
    said = body.get("input")
    if isinstance(said, str):  # the API's short form
        body = {**body, "input": [{"role": "user", "content": said}]}
    return ResponsesAgentRequest.model_validate(body)


async def _lines(events: AsyncIterator[ResponsesAgentStreamEvent]) -> AsyncIterator[str]:
    """Server-sent events."""
    async for event in events:
        yield f"event: {event.type}\ndata: {json.dumps(event.model_dump(exclude_none=True))}\n\n"
    yield "data: [DONE]\n\n"


async def _whole(events: AsyncIterator[ResponsesAgentStreamEvent]) -> Response:
    """The finished answer; a turn that failed is an error."""
    final: dict[str, Any] = {}
    async for event in events:
        told = event.model_dump(exclude_none=True)
        if event.type == "error":
            return _error(502, told["message"])
        if event.type == "response.completed":
            final = told
    return JSONResponse(
        {**final.get("response", {}), "object": "response", "status": "completed"}
        | {"custom_outputs": final.get("custom_outputs", {})}
    )


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "failed"}}, status_code=status)
